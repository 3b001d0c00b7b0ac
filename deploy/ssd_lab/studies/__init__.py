"""Experiments over several runs, each one command."""
