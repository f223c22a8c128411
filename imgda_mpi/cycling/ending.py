"""When a run has to end before its time: by the clock of its job, or by a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from imgda_mpi.faults import INTERRUPTED, OutOfTime

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)

RESERVE = 1.25
"""Factor of the time that a window is expected to take."""


class Clock:
    """The time that a job has, seconds from now; None where it has no end."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def check(self, expected: float, what: str) -> None:
        """Stop before something that would last longer, in seconds, than there is time.

        Raises
        ------
        OutOfTime
        """
        if self._end is None:
            return
        left = self._end - time.monotonic()
        if left < RESERVE * expected or left <= 0:
            raise OutOfTime(
                f"{max(left, 0):.0f} s are left, and {what} takes about {expected:.0f} s: run this again to go on"
            )


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a signal end the block as an error does, so that nothing of it stays behind.

    Raises
    ------
    OutOfTime
        Where a signal has come; its status is that of Ctrl-C for SIGINT.
    """

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # the first one counts
        error = OutOfTime(f"ended by {signal.Signals(number).name}: run this again to go on")
        if number == signal.SIGINT:
            error.status = INTERRUPTED
        raise error

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
