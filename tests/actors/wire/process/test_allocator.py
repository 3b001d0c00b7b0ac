"""Freed memory stays with the process, so that allocating it again is cheap."""

import os
import subprocess
import sys

import pytest

TOUCH_TWICE = """
import resource
import numpy as np
from ssd_wire.process.allocator import keep_freed_memory

def faults_of_a_large_array():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(8_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{prepare}
faults_of_a_large_array()
print(faults_of_a_large_array())
"""


def second_time_faults(prepare: str) -> int:
    script = TOUCH_TWICE.format(prepare=prepare)
    environment = os.environ | {"NUMPY_MADVISE_HUGEPAGE": "0"}
    return int(subprocess.check_output([sys.executable, "-c", script], env=environment))


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_a_large_array_allocated_again_touches_no_fresh_pages():
    assert second_time_faults("keep_freed_memory()") < 100 < second_time_faults("")
