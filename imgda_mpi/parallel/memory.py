"""The memory that this process takes of its node."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Most bytes that this process has had in memory so far, its libraries included."""
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory_of_machine() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_in_use() -> int:
    """Bytes that this process has in memory now; where the system does not tell, the most it has had."""
    try:
        resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    except (OSError, StopIteration):
        return peak_memory()
    return int(resident.split()[1]) * 1024
