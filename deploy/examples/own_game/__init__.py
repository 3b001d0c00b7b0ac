"""An example of your own game: a common orchard that can be eaten bare, and sown again."""
