"""How long cycles take, by those that are complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from imgda_mpi.cycling.schedule import Window
from imgda_mpi.results.run_records import ANALYSIS, Record

HOUR = timedelta(hours=1)
LATEST = 8
"""Cycles that count: the newest ones."""

MODEL, OWN = "model", "own"
"""Keys of a record's seconds, beside that of the analysis."""


@dataclass(frozen=True)
class Pace:
    """Seconds of wall time: the model's per hour of a window, those of an analysis, and what else a cycle takes."""

    model: float
    analysis: float
    own: float

    def seconds(self, window: Window) -> float:
        """Expected for a window."""
        return self.model * (window.length / HOUR) + self.analysis * window.is_analysed + self.own


def pace_of(records: Sequence[Record]) -> Pace | None:
    """By the newest of some cycles, in the order of time; None where there is none."""
    newest = records[-LATEST:]
    if not newest:
        return None
    hours = sum((record.end - record.time) / HOUR for record in newest)
    analysed = [record for record in records if record.analysis is not None][-LATEST:]
    return Pace(
        model=sum(record.seconds.get(MODEL, 0.0) for record in newest) / hours,
        # The longest: one that was taken over from an interrupted attempt took none.
        analysis=max((record.seconds.get(ANALYSIS, 0.0) for record in analysed), default=0.0),
        own=sum(record.seconds.get(OWN, 0.0) for record in newest) / len(newest),
    )


def length_text(seconds: float) -> str:
    """A length of time in words.

    >>> length_text(48), length_text(1290), length_text(30000)
    ('48 s', '22 min', '8.3 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
