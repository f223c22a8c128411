"""What runs of both models through windows share: folders of links, paths of limited length, the end of a window.

Without MPI: whoever drives a model is a plain process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.namelist import Group
from imgda_mpi.colm.soil_layers import N_SNOW, N_SOIL
from imgda_mpi.faults import OutputError, fault, writing

Window = tuple[datetime, datetime]
"""Start and end."""

LONGEST_PATH = 256
"""Characters that both models keep of a path."""

WATER = ("wliq_soisno", "wice_soisno")
"""Variables of the state that hold soil water, kg m-2."""

SOIL = slice(N_SNOW, N_SNOW + N_SOIL)
"""Their columns of the soil layers, after those of the snow."""

HAS_A_VALUE = 1e35
"""The model has -1e36 where it has no value."""


def check_steps(group: Group, key: str, windows: Sequence[Window]) -> None:
    """Refuse windows that are no multiples of the model's time step, which a key gives in seconds.

    Raises
    ------
    InputError
    """
    step = group.value(key, float, 1800.0)
    whole_hour = step >= 1 and step % 1 == 0 and 3600 % step == 0
    if not whole_hour:
        expected, do = "whole seconds that divide an hour", "take a time step with which the model meets every hour"
        raise group.fault(key, found=f"{step:g} s", expected=expected, do=do)
    for start, end in windows:
        if (end - start) % timedelta(seconds=step) or end <= start:
            found = (
                f"a time step of {step:g} s for the window from {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S}"
            )
            do = "let windows be multiples of the time step"
            raise group.fault(key, found=found, expected="one with which the model meets its end", do=do)


def check_greenwich(group: Group, key: str, default: bool | None = None) -> None:
    """Refuse a run in local time.

    Raises
    ------
    InputError
    """
    if not group.value(key, bool, default):
        do = "run the model in UTC: in local time every column is of another instant"
        raise group.fault(key, found=".false.", expected=".true.", do=do)


def check_length(longest: Path | str) -> None:
    """Refuse a path of which the model would lose the end.

    Raises
    ------
    OutputError
    """
    length = len(os.fsencode(longest))
    if length > LONGEST_PATH:
        found, expected = f"a path of {length} characters", f"{LONGEST_PATH} at most: the model keeps no more"
        raise fault(
            longest, found=found, expected=expected, do="take a run folder with a shorter path", kind=OutputError
        )


def new_folders(parent: Path, names: Sequence[str]) -> None:
    """Make folders, none of which is there.

    Raises
    ------
    OutputError
    """
    for name in names:
        with writing(parent / name):
            (parent / name).mkdir(parents=True)


def check_water(path: Path, name: str, after: FloatArray, before: Callable[[], FloatArray]) -> None:
    """Refuse NaN, infinite and missing values of soil water where there were numbers when the window began.

    Patches without a soil column may have none in every set, as may those that an analysis has left out.

    Parameters
    ----------
    path, name : file and variable of the end of the window
    after, before : (n_patch, 10) at the end, and what reads those at the start

    Raises
    ------
    InputError
    """
    lost = _without_value(after)
    if lost.any():
        lost &= ~_without_value(before())
    if lost.any():
        bad = np.flatnonzero(lost) + 1
        raise fault(
            path,
            name,
            found=f"NaN or missing values in soil layers of {bad.size} of {lost.size} patches, the first is {bad[0]}",
            expected="water on every patch that had it at the start of the window",
            do="the model went wrong there: look at its log, and at the state it began with",
        )


def _without_value(values: FloatArray) -> BoolArray:
    """Patches (n_patch,) on which some of the values (n_patch, 10) are no numbers."""
    return np.asarray(~(np.abs(values) < HAS_A_VALUE).all(axis=1))  # a NaN is less than nothing
