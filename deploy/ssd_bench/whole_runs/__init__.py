"""Whole training runs, measured from outside."""
