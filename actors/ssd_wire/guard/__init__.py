"""Protects servers against peers that flood them."""
