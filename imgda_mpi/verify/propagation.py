"""How fast and how long corrections of the surface are felt in the depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from imgda_mpi.arrays import FloatArray

FELT = 0.02
"""Difference of soil moisture from which on a correction is felt, m3 m-3."""

DEPTHS = (0.5, 1.0)
"""At which it is looked for, m."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Propagation:
    """When corrections were felt at a depth, and how long.

    Parameters
    ----------
    run : its name
    latitude, longitude : of the point, degrees
    vegetation : class of its land cover, in words
    depth : m
    reached : days from the first analysis until it is first felt; NaN where it never is
    stayed : days from the last analysis until it first is felt no more, 0 where that was before; NaN where it never was
        felt
    to_the_end : whether it was still felt at the end, where ``stayed`` ends
    """

    run: str
    latitude: float
    longitude: float
    vegetation: str
    depth: float
    reached: float
    stayed: float
    to_the_end: bool


def at_depth(profiles: FloatArray, nodes: FloatArray, depth: float) -> FloatArray:
    """Profiles (..., n) at a depth between two of the nodes (n,) m, which ascend: linear, (...).

    Raises
    ------
    ValueError
        Where the depth is above the first node or below the last one.

    >>> at_depth(np.array([0.25, 0.5]), np.array([0.5, 1.0]), 0.75)
    array(0.375)
    """
    if not nodes[0] <= depth <= nodes[-1]:
        raise ValueError(f"depth {depth:g} m is not within the nodes, {nodes[0]:g} to {nodes[-1]:g} m")
    below = max(1, int(np.searchsorted(nodes, depth)))
    share = (depth - nodes[below - 1]) / (nodes[below] - nodes[below - 1])
    return np.asarray((1.0 - share) * profiles[..., below - 1] + share * profiles[..., below])


def felt(
    times: Sequence[datetime], difference: FloatArray, first_analysis: datetime, last_analysis: datetime
) -> tuple[float, float, bool]:
    """When a correction is first felt, and how long it stays: ``reached``, ``stayed``, ``to_the_end`` of `Propagation`.

    Parameters
    ----------
    times : ascending
    difference : of the run from one without analyses, (n_times,) m3 m-3, NaN where missing, which is not felt
    first_analysis, last_analysis
    """
    is_felt = np.abs(difference) >= FELT
    began = next((n for n, time in enumerate(times) if time >= first_analysis and is_felt[n]), None)
    if began is None:
        return np.nan, np.nan, False
    ended = next(
        (n for n in range(began, len(times)) if times[n] >= last_analysis and not is_felt[n]),
        None,
    )
    until = times[-1] if ended is None else times[ended]
    return (times[began] - first_analysis) / DAY, (until - last_analysis) / DAY, ended is None
