"""What holds for all tests."""

import os

# Torch's second thread spins while it waits, and stalls the processes it shares two cores with.
os.environ.setdefault("OMP_NUM_THREADS", "1")
