"""The games: rules, maps, views, numba kernels, PettingZoo interface. No sockets, no torch."""
