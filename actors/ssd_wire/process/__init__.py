"""What all processes of a run share: command line, exit codes, signals, metrics, files."""
