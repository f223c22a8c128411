"""Which windows a run has, and which of them begin with an analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True)
class Window:
    """A cycle: an analysis at the start, unless nothing is assimilated there, and the model from start to end."""

    start: datetime
    end: datetime
    is_analysed: bool

    @property
    def length(self) -> timedelta:
        """Of the model's way."""
        return self.end - self.start


def windows(
    start: datetime,
    end: datetime,
    analyses: tuple[datetime, datetime] | None,
    between: timedelta,
    longest: timedelta | None = None,
) -> list[Window]:
    """All windows of a run, in the order of time.

    Parameters
    ----------
    analyses : times of the first and of the last one; None where nothing is assimilated
    between : time from one analysis to the next
    longest : of the windows without an analysis at their start; without it they last until the next analysis or the end

    >>> from datetime import UTC
    >>> day, hours = datetime(2022, 6, 2, tzinfo=UTC), timedelta(hours=6)
    >>> for window in windows(day, day + 6 * hours, (day, day + hours), hours):
    ...     print(f"{window.start:%d %H} to {window.end:%d %H}", window.is_analysed)
    02 00 to 02 06 True
    02 06 to 03 12 True
    """
    if analyses is None:
        return _free(start, end, longest)
    times = list(_every(*analyses, between))
    found = [Window(one, other, True) for one, other in pairwise(times)]
    # What follows the last analysis belongs to it as far as the model runs without a stop.
    last, *after = _free(times[-1], end, longest)
    return [*_free(start, times[0], longest), *found, Window(last.start, last.end, True), *after]


def _every(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    # By their number: the last one plus a step may be beyond all dates.
    for number in range((last - first) // step + 1):
        yield first + number * step


def _free(start: datetime, end: datetime, longest: timedelta | None) -> list[Window]:
    stops = [*_every(start, end, longest or end - start)] if end > start else []
    if stops and stops[-1] < end:
        stops.append(end)
    return [Window(one, other, False) for one, other in pairwise(stops)]


def left(every: Sequence[Window], done_until: datetime | None) -> list[Window]:
    """The windows that are still to be run where the last complete cycle ends at a time; all where there is none.

    Raises
    ------
    ValueError
        Where no window starts or ends at that time.
    """
    if done_until is None:
        return list(every)
    if done_until == every[-1].end:
        return []
    number = next((number for number, window in enumerate(every) if window.start == done_until), None)
    if number is None:
        raise ValueError(f"no window starts at {done_until:%Y-%m-%dT%H:%M:%SZ}")
    return list(every[number:])
