"""Encryption and authentication between machines: CURVE keys, and who may connect to whom."""
