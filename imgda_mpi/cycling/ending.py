"""When a run has to end before its time: by the clock of its job, or by a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from imgda_mpi.faults import INTERRUPTED, ConfigError, OutOfTime
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_writing import clear_cycle

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
"""Of a job. Ranks under a launcher see SIGTERM where that has Ctrl-C, or has lost another rank."""

RESERVE = 1.25
"""Factor of the time that a window is expected to take."""


class Clock:
    """The time that a job has, seconds from now; None where it has no end."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._has_begun = False

    def check(self, expected: float, what: str) -> None:
        """Stop before something that would last longer, in seconds, than there is time.

        Raises
        ------
        OutOfTime
        ConfigError
            Where there never was enough time for one: a job like this would do nothing, again and again.
        """
        if self._end is None:
            return
        left, is_first = max(self._end - time.monotonic(), 0.0), not self._has_begun
        self._has_begun = True
        if is_first and left < expected:
            raise ConfigError(f"{what} takes about {expected:.0f} s and the job has {left:.0f} s: give it more time")
        if not is_first and left <= RESERVE * expected:
            raise OutOfTime(f"{what} takes about {expected:.0f} s and {left:.0f} s are left: run this again to go on")


@contextmanager
def cleared(run: Run) -> Iterator[None]:
    """Remove what is under way in a run, but for what the next job takes over, where the block is out of time.

    Not collective.

    Raises
    ------
    OutputError
    """
    try:
        yield
    except OutOfTime:
        for folder in run.under_way():
            clear_cycle(folder)
        raise


@contextmanager
def ended_by_signals(signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[None]:
    """Let a signal end the block as an error does, so that nothing of it stays behind.

    Raises
    ------
    OutOfTime
        Where a signal has come; its status is that of Ctrl-C for SIGINT.
    """

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)  # the first one counts
        error = OutOfTime(f"ended by {signal.Signals(number).name}: run this again to go on")
        if number == signal.SIGINT:
            error.status = INTERRUPTED
        raise error

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
