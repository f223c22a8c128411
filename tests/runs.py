"""Run folders made for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from histories import write_history
from mpi4py import MPI
from problems import SELF

from imgda_mpi.parallel.failure import Ranks, same_fate
from imgda_mpi.results.manifest import all_versions, checksums
from imgda_mpi.results.run_folder import Cycle, Run
from imgda_mpi.results.run_images import instants
from imgda_mpi.results.run_records import Description, FileSet, Origin, Record
from imgda_mpi.results.run_writing import begin_cycle, end_cycle, new_run
from imgda_mpi.verify.score_series import Side

START = datetime(2022, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN = Description("columns", 3, START, START + 24 * HOUR, START + 6 * HOUR, START + 12 * HOUR, {"in all": 40})
SETTINGS = '[cycle]\nwindow = "6 h"\n'


def shared_folder(folder: Path, comm: MPI.Intracomm) -> Path:
    """The folder of rank 0: every rank's test has its own."""
    shared: Path = comm.bcast(folder)
    return shared


def write_set(folder: Path, content: str) -> list[Path]:
    """A set of restart files."""
    folder.mkdir(parents=True)
    files = [folder / "2022-153-00000" / name for name in ("b.nc", "a.nc", "a_pft.nc")]
    files[0].parent.mkdir()
    for file in files:
        file.write_text(f"{file.name} of {content}")
    return files


def make_cycle(
    run: Run,
    comm: MPI.Intracomm,
    *,
    begin: int,
    end: int,
    analysed: bool = False,
    origin: Origin | None = None,
    history: Sequence[int] | None = None,
    shift: float = 0.01,
    **of_history: Any,
) -> Cycle:
    """A cycle between two hours of the run; its sets are those of their hours, more is for `write_history`."""
    start, parts = START + begin * HOUR, {}
    every = range(begin, end + 1, 3) if history is None else history
    folder = begin_cycle(run, start, Ranks(comm))
    with same_fate(comm):
        if comm.rank == 0:
            parts["background"] = write_set(folder / "background", f"hour {begin}")
            if analysed:
                parts["analysis"] = write_set(folder / "analysis" / "restart", f"analysis {begin}")
            parts["restart"] = write_set(folder / "restart", f"hour {end}")
            if every:
                times = [START + hour * HOUR for hour in every]
                write_history(folder / "history" / "history.nc", times, shift=shift * analysed, **of_history)
    sets = {name: FileSet.of(checksums(files, comm)) for name, files in comm.bcast(parts).items()}
    record = Record(
        start,
        START + end * HOUR,
        sets["background"],
        origin,
        sets.get("analysis"),
        sets["restart"],
        {"model": 1.5},
        () if analysed else ("no observation within 3 h",),
    )
    return end_cycle(folder, record, Ranks(comm))


def new_test_run(folder: Path, comm: MPI.Intracomm = SELF) -> Run:
    """A run without cycles."""
    return new_run(folder, RUN, SETTINGS, all_versions(), Ranks(comm))


def make_run(folder: Path, comm: MPI.Intracomm = SELF) -> Run:
    """A run of three windows of 6, 6 and 12 hours; only the second one begins with an analysis."""
    run = new_test_run(folder, comm)
    first = make_cycle(run, comm, begin=0, end=6)
    second = make_cycle(run, comm, begin=6, end=12, analysed=True, origin=first.record.as_origin)
    make_cycle(run, comm, begin=12, end=24, origin=second.record.as_origin)
    return run


def moments(run: Run) -> list[tuple[datetime, Side]]:
    """Time and side of the analysis of all images of a run."""
    return [(instant.time, instant.side) for instant in instants(run)]


def edit(cycle: Cycle, old: str, new: str) -> None:
    """Change the text of a cycle's record."""
    path = cycle.directory / "cycle.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
