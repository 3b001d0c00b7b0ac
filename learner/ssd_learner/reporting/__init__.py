"""What the learner reports about its training."""
