"""How far a run is: asked of its folder alone, by anybody, at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imgda_mpi.cycling.attempts import failures
from imgda_mpi.cycling.lock import driver
from imgda_mpi.cycling.pace import Pace, length_text, pace_of
from imgda_mpi.cycling.schedule import Window, left
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_records import Record, time_text


@dataclass(frozen=True)
class Status:
    """The state of a run.

    Parameters
    ----------
    done : records of the complete cycles, in the order of time
    left : windows that are still to be made
    driver : who makes them, in words; None where nobody does
    under_way : start of the cycle that has been begun, as its folder has it; None where none has
    failed : lines on failed attempts at that cycle
    pace : of the newest cycles; None where there is none
    """

    done: Sequence[Record]
    left: Sequence[Window]
    driver: str | None
    under_way: str | None
    failed: Sequence[str]
    pace: Pace | None

    @property
    def seconds_left(self) -> float | None:
        """Of wall time; None where no cycle tells."""
        return None if self.pace is None else sum(map(self.pace.seconds, self.left))

    @property
    def passed_over(self) -> list[tuple[datetime, str]]:
        """Times without an analysis where one was due, and why."""
        return [(record.time, record.reasons[0]) for record in self.done if record.reasons]

    @property
    def state(self) -> str:
        """In a word: complete, running, failed, or idle: to be run again."""
        if not self.left:
            return "complete"
        return "running" if self.driver else "failed" if self.failed else "idle"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "state": self.state,
            "cycles": {"done": len(self.done), "left": len(self.left)},
            "analyses": sum(record.analysis is not None for record in self.done),
            "done_until": time_text(self.done[-1].end) if self.done else None,
            "under_way": self.under_way,
            "driver": self.driver,
            "failed": list(self.failed),
            "passed_over": [{"time": time_text(time), "reason": reason} for time, reason in self.passed_over],
            "seconds": None
            if self.pace is None
            else {"analysis": self.pace.analysis, "model_per_hour": self.pace.model, "own": self.pace.own},
            "seconds_left": self.seconds_left,
        }

    def as_text(self) -> str:
        """For people."""
        n_all = len(self.done) + len(self.left)
        lines = [f"{self.state}: {len(self.done)} of {n_all} cycles are complete"]
        if self.done:
            lines[0] += f", until {time_text(self.done[-1].end)}"
        n_analyses = sum(record.analysis is not None for record in self.done)
        lines.append(f"analyses    {n_analyses}, {len(self.passed_over)} passed over")
        lines += [f"  {time_text(time)}: {reason}" for time, reason in self.passed_over[-3:]]
        if self.pace is not None:
            lines.append(
                f"seconds     {self.pace.analysis:.1f} an analysis, {self.pace.model:.2f} an hour of the model, "
                f"{self.pace.own:.1f} for the rest of a cycle"
            )
        if self.seconds_left:
            lines.append(f"time left   {length_text(self.seconds_left)}")
        if self.driver:
            lines.append(f"driver      {self.driver}")
        if self.under_way:
            lines.append(f"under way   {self.under_way}")
        lines += [f"failed      {line}" for line in self.failed]
        return "\n".join(lines)


def status_of(run: Run, windows: Sequence[Window]) -> Status:
    """The status of a run with these windows. Not collective.

    Raises
    ------
    InputError
        Where a complete cycle cannot be read.
    """
    done = [cycle.record for cycle in run.cycles()]
    partial = next(reversed(run.under_way()), None)
    return Status(
        done=done,
        left=left(windows, done[-1].end if done else None),
        driver=driver(run.directory),
        under_way=None if partial is None else partial.name.partition(".")[0],
        failed=failures(partial) if partial else [],
        pace=pace_of(done),
    )
