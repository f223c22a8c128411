"""What the stand-ins of CoLM (`colm202x.py`, `colm2014.py`) do wrong on request, by variables of the environment.

COLM_FAULT
    One of these, with its number where it has one:

    ``fails``           stops at the start, with a message
    ``killed``          ends by SIGKILL in the middle of the window
    ``hang S``          sleeps for S seconds in the middle of the window, then goes on
    ``half_restart N``  ends by SIGKILL half-way through the N-th file of the restart at the end (1 without a number);
                        files after it are not there
    ``slow_restart N``  rests for N ms half-way through each file of the restart at the end (but not of those of
                        CoLM202X that it copies)
    ``no_restart``      says that all is done, without the restart at the end
    ``other_date``      writes the restart at the end as that of a day later
    ``nan``             has NaN in the soil water of one patch of the restart at the end

COLM_FAULT_AT
    Only in windows that begin at this stamp, as 2022-153-21600.
COLM_FAULT_TIMES, COLM_FAULT_FILE
    Only the first so many times; the file keeps count.
COLM_WANTS_ENV
    ``NAME=value``: refuses to start unless a variable has this value; with nothing after ``=`` unless it is not set.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

KINDS = ("fails", "killed", "hang", "half_restart", "slow_restart", "no_restart", "other_date", "nan")


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a window."""

    kind: str = ""
    number: int = 1

    def in_the_middle(self) -> None:
        """What happens half-way through the window."""
        if self.kind == "killed":
            kill()
        if self.kind == "hang":
            time.sleep(self.number)

    def half_way(self, number: int) -> Callable[[], None] | None:
        """What happens half-way through the N-th file of the restart; None where nothing does."""
        if self.kind == "slow_restart":
            return lambda: time.sleep(self.number / 1000.0)
        return kill if self.kind == "half_restart" and number == self.number else None


def fault_of(stamp: str) -> Fault:
    """What is asked for in a window that begins at a stamp; counts it. Once in a run."""
    kind, number = ([*os.environ.get("COLM_FAULT", "").split(), "", "1"])[:2]
    if not kind or os.environ.get("COLM_FAULT_AT", stamp) != stamp:
        return Fault()
    if kind not in KINDS:
        raise ValueError(f"COLM_FAULT={kind}: needs one of {', '.join(KINDS)}")
    if "COLM_FAULT_TIMES" in os.environ:
        counter = Path(os.environ["COLM_FAULT_FILE"])
        if counter.exists() and counter.stat().st_size >= int(os.environ["COLM_FAULT_TIMES"]):
            return Fault()
        with counter.open("a") as file:
            file.write("x")
    return Fault(kind, int(number or 1))


def unwanted_environment() -> str:
    """What is wrong with the environment, or nothing."""
    name, is_asked, value = os.environ.get("COLM_WANTS_ENV", "").partition("=")
    found = os.environ.get(name, "")
    return f"{name}={found} in the environment, not {name}={value}" if is_asked and found != value else ""


def kill() -> NoReturn:
    """End this process at once, as an operator or the kernel does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit  # never
