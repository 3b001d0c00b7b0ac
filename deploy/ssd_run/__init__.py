"""`ssd-train`: starts all processes of a run on one machine, restarts them, shows and records."""
