"""Trained agents outside a run: loaded, played, evaluated."""
