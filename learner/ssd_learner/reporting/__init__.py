"""What the learner reports about each batch that it trains on."""
