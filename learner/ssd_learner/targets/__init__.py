"""Training targets: rewards of each head, advantages, value targets and their normalisation."""
