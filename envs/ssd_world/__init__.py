"""The environment server (`ssd-env`): the world and its referee. It knows rules and who acted, no weights."""
