"""The processes of a run: their command lines, how they are started, supervised and stopped."""
