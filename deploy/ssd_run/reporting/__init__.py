"""What is shown and kept of a run: the screen, `metrics.jsonl`, TensorBoard, the summary."""
