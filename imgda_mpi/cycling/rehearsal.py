"""A rehearsal: does the user's model stop and go on to the bit? Two windows beside one that is as long as both."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from imgda_mpi.cycling.loop import Runner
from imgda_mpi.cycling.pace import HOUR
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import remove
from imgda_mpi.faults import ImgdaError, OutputError, fault, reading, settled_by, writing
from imgda_mpi.results.run_records import stamp, time_text

WHOLE, STOPS, RECORD = "whole", "stops", "rehearsal.json"

USUALLY = {
    False: "two runs from one restart differ before anything has stopped: the model does not repeat itself, as with sums "
    "in an order of chance or memory that nothing was written to. Compare two of its runs; build it without fast "
    "arithmetic, run it on fewer ranks",
    True: "the model goes on otherwise after a stop: it has something in memory that is not in its restart, or reads its "
    "restart in another way than it wrote it, as a set of files or a variable that is lost",
}
"""What a difference means, by whether it comes after the stop alone."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal tells of the cycles to come, per hour of the model: seconds of wall time, history files, bytes."""

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
    return run.with_name(f"{run.name}.rehearsal")


def read_rehearsal(run: Path) -> Rehearsed | None:
    """What the rehearsal of a run has told; None where there was none, or its record is not whole."""
    try:
        return Rehearsed(**{key: float(value) for key, value in json.loads(_record(run).read_text()).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def rehearse(runner: Runner, windows: tuple[Window, Window], run: Path, compare: Compare) -> Rehearsed:
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
    with settled_by(f"the model has run to {time_text(second.end)} without this stop, in {folder / WHOLE}"):
        one = _run(runner, folder / STOPS, runner.first_set(), first)
    with settled_by(f"the model goes on from its restart of {time_text(second.start)} there"):
        other = _run(runner, folder / STOPS, one.restart, second)
    differences = compare(whole, (one, other))
    if differences:
        is_after = all(difference.is_after for difference in differences)
        said = "".join(f"\n  {difference.text}" for difference in differences)
        raise ImgdaError(
            f"{folder}: two windows with a stop at {time_text(second.start)} are not what one is:{said}\n{USUALLY[is_after]}"
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


def _record(run: Path) -> Path:
    return folder_of(run) / RECORD


def _make_room(folder: Path) -> None:
    """An empty folder, in the place of that of an earlier rehearsal."""
    with writing(folder):
        others = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        others = [name for name in others if name not in (WHOLE, STOPS, RECORD)]
        if others or (folder.exists() and not folder.is_dir()):
            found = f"{others[0]} in it" if others else "a file"
            do = "remove it, or give the run another folder"
            raise fault(folder, found=found, expected="a rehearsal or nothing", do=do, kind=OutputError)
        remove(folder)
        folder.mkdir(parents=True)


def _run(runner: Runner, parent: Path, began_with: Sequence[Path], window: Window) -> Ran:
    folder = parent / stamp(window.start)
    with writing(folder):
        folder.mkdir(parents=True)
    began = perf_counter()
    restart = runner.run(folder, began_with, window)
    seconds = perf_counter() - began
    return Ran(window, restart, runner.history(folder), seconds)
