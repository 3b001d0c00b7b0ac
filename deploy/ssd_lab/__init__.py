"""Running studies: `ssd-train`, presets, the run directory and its records."""
