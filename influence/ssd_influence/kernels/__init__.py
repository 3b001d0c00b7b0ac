"""Numba kernels for what torch is slow at on a CPU: float32 arrays, one thread, no autograd.

Callers check with `is_host_float32` whether a tensor can go to a kernel, and use torch elsewhere.
"""
