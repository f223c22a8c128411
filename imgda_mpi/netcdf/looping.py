"""The end of a process in which the NetCDF library computes at a damaged file without end.

HDF5 goes through the heap that attributes of varying length are in from one length to the next: where damage has made
one of them 0, or leads it into zeros, it never comes to the end. It cannot be interrupted, only ended.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgda_mpi.faults import fault, settled

PATIENCE = 5.0  # s of computing of the calling thread, without waiting for a disk; whole files take milliseconds


@contextmanager
def ended_if_endless(path: Path, do: str) -> Iterator[None]:
    """End the process if one call into the library never ends, with the error of a damaged file and its status.

    The error says what to ``do``, and is settled as one that is raised (see `imgda_mpi.faults.settled_by`).
    Other ranks are ended by their launcher. The library must let other threads of Python run meanwhile.
    """
    is_over, clock = threading.Event(), time.pthread_getcpuclockid(threading.get_ident())
    began = time.clock_gettime(clock)

    def watch() -> None:
        while not is_over.wait(1.0):
            if time.clock_gettime(clock) - began > PATIENCE:
                found = f"a file at which the NetCDF library computes without end ({PATIENCE:g} s so far)"
                error = settled(fault(path, found=found, expected="a whole file", do=f"it is damaged: {do}"))
                sys.stderr.write(f"error: {error}\n")
                sys.stderr.flush()
                os._exit(error.status)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
