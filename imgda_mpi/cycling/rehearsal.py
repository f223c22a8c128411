"""A rehearsal: does the user's model stop and go on to the bit? Two windows beside one that is as long as both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from imgda_mpi.cycling.command_runner import CommandRunner
from imgda_mpi.cycling.pace import HOUR
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import remove
from imgda_mpi.faults import ImgdaError, LostError, OutputError, fault, reading, writing
from imgda_mpi.results.run_records import stamp, time_text

WHOLE, STOPS, RECORD = "whole", "stops", "rehearsal.json"

USUALLY = {
    False: "they differ before anything has stopped: the model does not repeat itself, as where sums are made in an "
    "order of chance, or memory is read that nothing was written to",
    True: "the model goes on otherwise after a stop: a variable or a set of files is not in its restart, or is not "
    "read from it as it was written",
}
"""What a difference usually means, by whether all of it comes after the stop."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal tells of cycles to come, per hour of the model: seconds, and files and bytes of history."""

    seconds: float
    history_files: float
    history_bytes: float


@dataclass(frozen=True)
class Ran:
    """A window that was run: its restart at the end, its history, seconds of wall time."""

    window: Window
    restart: list[Path]
    history: list[Path]
    seconds: float


@dataclass(frozen=True)
class Difference:
    """What differs between the two ways, in words, and whether it came after the stop alone."""

    text: str
    is_after: bool


Compare = Callable[[Ran, Sequence[Ran]], Sequence[Difference]]
"""What differs between one window and the two that follow each other in its place."""


def folder_of(run: Path) -> Path:
    """Where the rehearsal of a run is."""
    run = run.absolute()
    return run.with_name(f"{run.name}.rehearsal")


def read_rehearsal(run: Path) -> Rehearsed | None:
    """What the rehearsal of a run has told; None where there was none, or its record is not whole."""
    try:
        return Rehearsed(**{key: float(value) for key, value in json.loads(_record(run).read_text()).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def rehearse(runner: CommandRunner, windows: tuple[Window, Window], run: Path, compare: Compare) -> Rehearsed:
    """Run the model through two windows, and through both in one go from the same restart. Not collective.

    Where all is the same nothing stays but what it took; where not, all of it.

    Parameters
    ----------
    run : folder of the run that is rehearsed; the rehearsal is beside it

    Raises
    ------
    ImgdaError
        Where the model fails in one of the ways, or does not do the same in both.
    OutputError
        Where the folder holds something else.
    """
    folder = folder_of(run)
    _make_room(folder)
    first, second = windows
    whole = _run(runner, folder / WHOLE, runner.first_set(), Window(first.start, second.end, False))
    with _but(f"past {time_text(first.end)} it ran in one go: it cannot stop there, or was not built to"):
        one = _run(runner, folder / STOPS, runner.first_set(), first)
    with _but(f"in one go it ran: it cannot go on from its restart of {time_text(second.start)}"):
        other = _run(runner, folder / STOPS, one.restart, second)
    differences = compare(whole, (one, other))
    if differences:
        is_after = all(difference.is_after for difference in differences)
        said = "".join(f"\n  {difference.text}" for difference in differences)
        raise ImgdaError(
            f"{folder}: two windows, with a stop at {time_text(second.start)}, do not give what one gives:{said}\n"
            f"{USUALLY[is_after]}"
        )
    hours = (second.end - first.start) / HOUR
    history = [*one.history, *other.history]
    with reading(folder):
        size = sum(path.stat().st_size for path in history)
    rehearsed = Rehearsed((one.seconds + other.seconds) / hours, len(history) / hours, size / hours)
    with writing(folder):
        for name in (WHOLE, STOPS):
            remove(folder / name)
        _record(run).write_text(json.dumps(asdict(rehearsed)) + "\n")
    return rehearsed


@contextmanager
def _but(what: str) -> Iterator[None]:
    """Add to the message of an error what went well."""
    try:
        yield
    except ImgdaError as err:
        if not isinstance(err, LostError):
            err.args = (f"{err}\n{what}",)
        raise


def _record(run: Path) -> Path:
    return folder_of(run) / RECORD


def _make_room(folder: Path) -> None:
    """An empty folder, in the place of that of an earlier rehearsal."""
    with writing(folder):
        others = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        others = [name for name in others if name not in (WHOLE, STOPS, RECORD)]
        if others or (folder.exists() and not folder.is_dir()):
            found = f"{others[0]} in it" if others else "a file"
            do = "move it elsewhere, or give the run another folder"
            raise fault(folder, found=found, expected="a rehearsal or nothing", do=do, kind=OutputError)
        remove(folder)
        folder.mkdir(parents=True)


def _run(runner: CommandRunner, parent: Path, began_with: Sequence[Path], window: Window) -> Ran:
    folder = parent / stamp(window.start)
    with writing(folder):
        folder.mkdir(parents=True)
    began = perf_counter()
    restart = runner.run(folder, began_with, window)
    seconds = perf_counter() - began
    return Ran(window, restart, runner.history(folder), seconds)
