"""The games: rules, maps, views, kernels, PettingZoo interface. No sockets, no torch."""
