"""A network of one's own: a second convolution under the policy and the model of others."""
