"""The agent's network in torch: policy, model of other agents, and their layers."""
