"""Networks, models of other agents, counterfactuals, divergences and measures. No processes."""
