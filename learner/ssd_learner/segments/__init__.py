"""Segments as they come from actors: receipt, deduplication, watermarks and batches."""
