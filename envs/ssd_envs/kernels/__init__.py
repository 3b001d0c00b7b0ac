"""What all games share in a step, compiled with numba, and the random number generator."""
