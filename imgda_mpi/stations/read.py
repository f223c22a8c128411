"""What is read from files of stations. One process reads: no MPI here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from imgda_mpi.faults import fault
from imgda_mpi.lazy import load
from imgda_mpi.stations.series import Sensors

READERS = {"table": "stations.table:read_table", "ismn": "stations.ismn:read_ismn"}
"""Every kind of file of stations: what reads its sensors."""


def read_stations(kind: str, file: Path, depth: tuple[float, float], **how: Any) -> Sensors:
    """The series of all sensors within a range of depth, in the order of the file. Not collective.

    Parameters
    ----------
    kind : of `READERS`
    file
    depth : top and bottom of the range, m, within which all that a sensor measures has to be
    how : what else the reader takes

    Raises
    ------
    InputError
        Where the file cannot be read, has no sensor within the range, or no valid value of any.
    ConfigError
        Where a package is missing.
    """
    series: Sensors = load(READERS[kind])(file, depth, **how)
    if not any(np.isfinite(one.values).any() for one in series):
        counts: Counter[str] = Counter()
        for one in series:
            counts.update(one.counts)
        raise fault(
            file,
            found=f"no valid value of {len(series)} sensors ("
            + ", ".join(f"{reason}: {number}" for reason, number in counts.items() if number)
            + ")",
            expected="at least one with a good flag, 0 to 1 m3 m-3",
            do="look which flags the file has and which count as good, and in which units its values are",
        )
    return series
