"""After training: playing and evaluating trained agents, plotting runs, studies of several runs."""
