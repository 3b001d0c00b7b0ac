"""What was measured: rows, their file, their table, and how they compare."""
