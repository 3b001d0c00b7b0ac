"""The parts of the system, each timed alone beside what plain torch takes for the same."""
