"""The games: rules, maps, views, numba kernels, and their PettingZoo interface. No sockets, no torch."""
