"""PPO: chunks with advantages, made of a batch, and passes of minibatch updates over them."""
