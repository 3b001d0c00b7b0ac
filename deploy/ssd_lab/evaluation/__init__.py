"""Trained agents outside a run: loading, playing, evaluating."""
