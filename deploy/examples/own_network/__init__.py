"""A custom network: a second convolution for the policy and the model of other agents."""
