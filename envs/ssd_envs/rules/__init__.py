"""The rules that differ between games: the interface, and one file per game."""
