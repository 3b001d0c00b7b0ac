"""The learner process (`ssd-learner`): trains one agent from the segments of every arena."""
