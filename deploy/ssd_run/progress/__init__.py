"""The progress of a run: metrics of its processes, and episodes that environments report."""
