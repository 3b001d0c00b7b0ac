"""Who computes when, and who waits for whom, within one tick of a running arena.

`python -m ssd_lab.timeline PRESET` starts an arena whose processes are recorded. Production code
knows nothing of it: `recorded` replaces chosen methods before it runs the real command.
"""
