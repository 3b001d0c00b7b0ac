"""Compiling the kernels of training before they are needed, for example before a process forks."""

from ssd_influence.networks import lstm_sequence, view_encoder


def compile_kernels() -> None:
    """Compile all kernels that training uses. Starts no threads: autograd is not used."""
    lstm_sequence.compile_kernels()
    view_encoder.compile_kernels()
