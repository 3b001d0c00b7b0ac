"""The actor-critic with V-trace's targets (IMPALA): one update per batch."""
