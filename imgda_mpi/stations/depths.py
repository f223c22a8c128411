"""Which sensors are within a range of depth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from imgda_mpi.faults import ImgdaError, fault

Depth = tuple[float, float]
"""Top and bottom, m."""

SAID = 10  # depths


def within(sensor: Depth, depth: Depth) -> bool:
    """Whether all that a sensor measures is within a range of depth, whose ends belong to it."""
    return depth[0] <= sensor[0] and sensor[1] <= depth[1]


def none_within(path: Path, depth: Depth, sensors: Iterable[Depth]) -> ImgdaError:
    """The error where a file has sensors, and none is within the range."""
    there = sorted(set(sensors))
    said = ", ".join(f"{top:g}" if top == bottom else f"{top:g}-{bottom:g}" for top, bottom in there[:SAID])
    return fault(
        path,
        "depth",
        found=f"sensors at {said}{', ...' if len(there) > SAID else ''} m",
        expected=f"one from {depth[0]:g} to {depth[1]:g} m",
        do="give a range of depth that the file has, or correct its depths if they are not in m",
    )
