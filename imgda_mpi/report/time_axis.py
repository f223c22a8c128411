"""Axes of time that pictures share: dates, days, the end of the assimilation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.theme import QUIET, SMALL

TICKS = ["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
FIRST_TICKS = ["", "%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"]
BESIDE = ["", "%Y", "%Y", "%Y", "%-d %b %Y", "%-d %b %Y"]
"""What ticks a year, month, day, hour, minute or second apart say, the first of a longer unit, and what all share."""


def days_since_1970(times: Sequence[datetime]) -> FloatArray:
    """Times as matplotlib's axes count them, (n,) days."""
    return np.asarray(date2num(list(times)), np.float64)  # type: ignore[no-untyped-call]


def draw_time_axis(axes: Axes, *, n_ticks: int = 6, with_labels: bool = True) -> None:
    """Dates below axes, and a quiet grid."""
    locator: Any = AutoDateLocator(minticks=3, maxticks=n_ticks, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(locator, UTC, TICKS, zero_formats=FIRST_TICKS, offset_formats=BESIDE))
    axes.xaxis.offsetText.set_fontsize(SMALL)
    axes.tick_params(labelsize=SMALL, color=QUIET, labelbottom=with_labels)
    if not with_labels:
        axes.xaxis.offsetText.set_visible(False)


def mark_end(axes: Axes, time: datetime | None) -> None:
    """A dotted line at the last analysis, where it is known."""
    if time is not None:
        axes.axvline(float(days_since_1970([time])[0]), color="#444444", linestyle=":", linewidth=1.3, zorder=4)
