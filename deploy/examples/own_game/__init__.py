"""A game of one's own: a common orchard, which can be eaten bare and sown again."""
