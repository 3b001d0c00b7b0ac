"""What torch is slow at on a CPU, as kernels over plain arrays: float32, one thread, no gradients.

Callers choose: `on_host` says whether a tensor can be handed to a kernel; elsewhere torch does it.
"""
