"""One machine: `ssd-train` starts every process of a run, keeps it alive, shows and records it."""
