"""The environment server (`ssd-env`): world and referee. It knows rules, and no weights."""
