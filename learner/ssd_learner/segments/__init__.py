"""Segments from actors: receipt with deduplication and watermarks, and batches made of them."""
