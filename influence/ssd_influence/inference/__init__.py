"""Acting on a CPU: an agent's network step by step, over arrays of many games."""
