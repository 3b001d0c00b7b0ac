"""Networks, models of other agents, influence rewards and measures. No processes."""
