"""Studies of several runs, each with one command."""
