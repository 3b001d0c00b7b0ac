"""The environment server (`ssd-env`): steps games and coordinates actors. It has no networks."""
