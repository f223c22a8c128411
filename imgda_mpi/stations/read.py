"""What is read from files of stations. One process reads: no MPI here."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from imgda_mpi.faults import fault
from imgda_mpi.lazy import load
from imgda_mpi.stations.series import Sensors

log = logging.getLogger(__name__)

SAID = 5  # names of sensors that are left out

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
        Where the file cannot be read, has no sensor within the range, no valid value of any, or values of another
        unit.
    ConfigError
        Where a package is missing.
    """
    every: Sensors = load(READERS[kind])(file, depth, **how)
    series = _with_usual_values(file, every)
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


def _with_usual_values(file: Path, every: Sensors) -> Sensors:
    """Sensors but for those that have more values beyond 0 to 1 than within, which are no m3 m-3.

    Raises
    ------
    InputError
        Where these are half of those with values, or more.
    """
    odd = [one for one in every if one.counts["out of range"] > np.count_nonzero(np.isfinite(one.values))]
    n_valued = sum(bool(one.counts["out of range"]) or bool(np.isfinite(one.values).any()) for one in every)
    if odd and 2 * len(odd) >= n_valued:
        raise fault(
            file,
            "value",
            found=f"more values beyond 0 to 1 than within at {len(odd)} of {n_valued} sensors",
            expected="m3 m-3",
            do="divide by 100 if the values are percent by volume",
        )
    if odd:
        said = ", ".join(f"{one.network} {one.station}".strip() for one in odd[:SAID]) + (
            ", ..." if len(odd) > SAID else ""
        )
        do = "have more values beyond 0 to 1 m3 m-3 than within and are left out"
        log.warning("%s: %d of %d sensors %s: %s", file, len(odd), len(every), do, said)
    series = Sensors(one for one in every if not any(one is left for left in odd))
    series.n_unread, series.n_odd = every.n_unread, len(odd)
    return series
