"""Series whose times are all known: each record of a file is a moment, or the mean of an interval."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from imgda_mpi.faults import fault
from imgda_mpi.histories.image_series import Frame, ImageSeries
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.verify.score_series import Side

INSTANT = timedelta(0)


@dataclass(frozen=True)
class Record:
    """A record of a file.

    Parameters
    ----------
    time : of the instant, or the middle of the interval
    length : of the interval, `INSTANT` of an instant
    side : of the analysis at that time
    file, index : where it is
    """

    time: datetime
    file: Path
    index: int
    length: timedelta = INSTANT
    side: Side = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordSeries(ImageSeries):
    """Records in the order of time; other parameters as of `ImageSeries`."""

    records: Sequence[Record]

    @abstractmethod
    def frame(self, record: Record) -> Frame:
        """The frame of a record."""

    def at(self, time: datetime) -> list[Frame]:
        """See `ImageSeries`."""
        return [self.frame(record) for record in self.holding(time)]

    def within(self, start: datetime, end: datetime) -> list[Frame]:
        """See `ImageSeries`."""
        first, last = (bisect_left(self.records, time, key=lambda record: record.time) for time in (start, end))
        return [self.frame(record) for record in self.records[first:last] if record.side != "before"]

    def holding(self, time: datetime) -> Sequence[Record]:
        """Records of an instant, or the first one in whose interval it is."""
        reach = (self.interval or INSTANT) / 2
        first = bisect_left(self.records, time - reach, key=lambda record: record.time)
        holding: list[Record] = []
        for record in self.records[first:]:
            if record.time > time + reach:
                break
            if abs(record.time - time) <= record.length / 2:
                holding.append(record)
        return holding if self.interval is None else holding[:1]


def check_once(records: Sequence[Record]) -> None:
    """Refuse two records of one time, in the order of time.

    Raises
    ------
    InputError
    """
    for earlier, later in pairwise(records):
        if earlier.time == later.time:
            found = f"{later.time:{DATE_TEXT}} as in {earlier.file}"
            do = "give each history once, of windows that follow each other"
            raise fault(later.file, "time", found=found, expected="records of each time once", do=do)


def longest(records: Sequence[Record]) -> timedelta | None:
    """The longest interval of records, None of instants."""
    length = max(record.length for record in records)
    return None if length == INSTANT else length


def times_of(records: Sequence[Record]) -> list[datetime]:
    """Times of records in their order, each once."""
    return list(dict.fromkeys(record.time for record in records))
