"""Run folders: cycles that are whole or absent, that chain, and whose images come in the order of time."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from histories import GRID, flux, moisture, write_history
from launch import python
from mpi4py import MPI
from problems import COMMS, SELF, agree

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.disk import checksum
from imgda_mpi.faults import ConfigError, InputError, OutputError
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.report.run_table import run_table
from imgda_mpi.results import history_file
from imgda_mpi.results.manifest import checksums
from imgda_mpi.results.run_folder import Cycle, Run, open_run, read_cycle
from imgda_mpi.results.run_images import Side, fluxes, images, instants
from imgda_mpi.results.run_records import Description, FileSet, Origin, Record
from imgda_mpi.results.run_writing import new_cycle, new_run, write_record

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
    grid: Grid = GRID,
) -> Cycle:
    """A cycle between two hours of the run; its sets are those of their hours."""
    start, parts = START + begin * HOUR, {}
    every = range(begin, end + 1, 3) if history is None else history
    with new_cycle(run, start, comm) as folder:
        with same_fate(comm):
            if comm.rank == 0:
                parts["background"] = write_set(folder / "background", f"hour {begin}")
                if analysed:
                    parts["analysis"] = write_set(folder / "analysis" / "restart", f"analysis {begin}")
                parts["restart"] = write_set(folder / "restart", f"hour {end}")
                if every:
                    times = [START + hour * HOUR for hour in every]
                    write_history(folder / "history" / "history.nc", times, shift=shift * analysed, grid=grid)
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
        write_record(folder, record, comm)
    return read_cycle(run.cycle_folder(start))


def make_run(folder: Path, comm: MPI.Intracomm = SELF) -> Run:
    """A run of three windows of 6, 6 and 12 hours; only the second one begins with an analysis."""
    run = new_run(folder, RUN, SETTINGS, comm)
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


@pytest.mark.parametrize("comm", COMMS)
def test_a_run_is_read_back_as_it_was_made(comm: MPI.Intracomm, tmp_path: Path) -> None:
    folder = shared_folder(tmp_path, comm) / "run"
    made = make_run(folder, comm)
    run = open_run(folder)
    assert agree(comm, made == run)
    assert agree(comm, run.description == RUN)
    assert agree(comm, (folder / "settings.toml").read_text() == SETTINGS)
    assert agree(comm, run.versions["numpy"] == np.__version__)
    cycles = run.cycles()
    assert agree(comm, [c.directory.name for c in cycles] == ["20220602T00", "20220602T06", "20220602T12"])
    assert agree(comm, run.last() == cycles[-1])
    assert agree(comm, cycles[1].record.analysis is not None)
    assert agree(comm, cycles[0].record.reasons == ("no observation within 3 h",))
    assert agree(comm, [c.verify() for c in cycles][1] == ["background", "analysis", "restart"])
    run.check_chain()


@pytest.mark.parametrize("comm", COMMS)
def test_any_number_of_ranks_writes_the_same_records(comm: MPI.Intracomm, tmp_path: Path) -> None:
    folder = shared_folder(tmp_path, comm)
    make_run(folder / "together", comm)
    with same_fate(comm):
        same = True
        if comm.rank == 0:
            make_run(folder / "alone", SELF)
            names = ["run.json", *(f"cycles/20220602T{hour}/cycle.json" for hour in ("00", "06", "12"))]
            same = all((folder / "alone" / n).read_bytes() == (folder / "together" / n).read_bytes() for n in names)
    assert agree(comm, same)


def test_the_record_chains_by_digests(tmp_path: Path) -> None:
    first, second, third = make_run(tmp_path / "run").cycles()
    record = json.loads((second.directory / "cycle.json").read_text())
    own = {
        name: checksum(second.directory / f"background/2022-153-00000/{name}") for name in ("a.nc", "a_pft.nc", "b.nc")
    }
    assert record["background"]["files"] == own
    assert record["background"]["digest"] == first.record.restart.digest
    assert record["background"]["came_from"] == {"cycle": "20220602T00", "digest": first.record.background.digest}
    assert record["analysis"]["corrected"] == record["background"]["digest"] != record["analysis"]["digest"]
    assert third.record.origin == Origin("20220602T06", record["analysis"]["digest"])
    assert (record["time"], record["end"]) == ("2022-06-02T06:00:00Z", "2022-06-02T12:00:00Z")


@pytest.mark.parametrize("comm", COMMS)
def test_a_cycle_that_fails_leaves_nothing(comm: MPI.Intracomm, tmp_path: Path) -> None:
    run = new_run(shared_folder(tmp_path, comm) / "run", RUN, SETTINGS, comm)
    with pytest.raises(OutputError, match="disk full"), new_cycle(run, START, comm) as folder, same_fate(comm):
        if comm.rank == comm.size - 1:
            (folder / "half").write_text("")
            raise OutputError("disk full")
    comm.barrier()
    assert agree(comm, not any((run.directory / "cycles").iterdir()))


@pytest.mark.parametrize("comm", COMMS)
def test_what_a_killed_job_left_is_not_seen_and_is_replaced(comm: MPI.Intracomm, tmp_path: Path) -> None:
    run = new_run(shared_folder(tmp_path, comm) / "run", RUN, SETTINGS, comm)
    left = run.directory / "cycles" / "20220602T00.partial"
    if comm.rank == 0:
        write_set(left / "background", "a killed job")
        (left / "log").mkdir()
    comm.barrier()
    assert agree(comm, run.cycles() == [] and run.last() is None)
    comm.barrier()
    make_cycle(run, comm, begin=0, end=6)
    assert agree(comm, not left.exists() and len(run.cycles()) == 1)
    assert agree(comm, not (run.directory / "cycles/20220602T00/log").exists())


@pytest.mark.parametrize("comm", COMMS)
def test_a_cycle_is_never_made_twice_nor_without_its_record(comm: MPI.Intracomm, tmp_path: Path) -> None:
    run = make_run(shared_folder(tmp_path, comm) / "run", comm)
    with pytest.raises(OutputError, match="20220602T06: found a complete cycle"):
        make_cycle(run, comm, begin=6, end=12)
    for hour, write in ((18, False), (21, True)):
        with (
            pytest.raises(InputError, match=r"cycle\.json: "),
            new_cycle(run, START + hour * HOUR, comm) as folder,
        ):
            if write:
                write_record(folder, Record(START, START + HOUR), comm)
    comm.barrier()
    assert agree(comm, len(list((run.directory / "cycles").iterdir())) == 3)


# Dies without a word in the middle of a cycle: while it fills the folder, or with all but the new name done.
DIES = """
import os, sys
from datetime import datetime, UTC
from pathlib import Path
from mpi4py import MPI
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_writing import new_cycle, write_record
from imgda_mpi.results.run_records import Record
start = datetime(2022, 6, 2, tzinfo=UTC)
Path.rename = lambda *_: os._exit(9)
with new_cycle(open_run(Path(sys.argv[1])), start, MPI.COMM_SELF) as folder:
    if sys.argv[2] == "early":
        os._exit(9)
    write_record(folder, Record(start, datetime(2022, 6, 2, 6, tzinfo=UTC)), MPI.COMM_SELF)
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_job_that_dies_in_a_cycle_leaves_nothing_under_its_name(tmp_path: Path, when: str) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    assert python("-c", DIES, str(run.directory), when).returncode == 9
    assert [folder.name for folder in (run.directory / "cycles").iterdir()] == ["20220602T00.partial"]
    assert run.cycles() == []
    make_cycle(run, SELF, begin=0, end=6)
    assert [folder.name for folder in (run.directory / "cycles").iterdir()] == ["20220602T00"]


def test_an_interrupted_cycle_is_removed(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    with pytest.raises(KeyboardInterrupt), new_cycle(run, START, SELF):
        raise KeyboardInterrupt
    assert not any((tmp_path / "run/cycles").iterdir())


def test_a_folder_in_use_is_no_new_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    with pytest.raises(OutputError, match="found a folder that is not empty"):
        new_run(tmp_path / "run", RUN, SETTINGS, SELF)


def test_cycles_begin_at_whole_hours_of_a_time_zone(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    with pytest.raises(ConfigError, match=r"found a cycle at 2022-06-02 00:30:00 UTC, expected a whole hour"):
        run.cycle_folder(START + HOUR / 2)
    with pytest.raises(ValueError, match="time zone"):
        run.cycle_folder(datetime(2022, 6, 2))


def test_files_of_a_set_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="files of one name"):
        FileSet.of({Path("a/x.nc"): "1", Path("b/x.nc"): "2"})
    assert FileSet.of({Path("a/x.nc"): "1", Path("a/y.nc"): "2"}) == FileSet.of({Path("y.nc"): "2", Path("x.nc"): "1"})


def test_a_changed_file_is_found_and_a_thinned_set_is_not_missed(tmp_path: Path) -> None:
    cycle = make_run(tmp_path / "run").cycles()[1]
    folder = cycle.directory / "background"
    for file in folder.rglob("*.nc"):
        file.unlink()
    assert cycle.verify() == ["analysis", "restart"]
    restart = cycle.directory / "restart/2022-153-00000"
    (restart / "a.nc").write_text("a.nc of hour 13")
    with pytest.raises(InputError, match=r"a\.nc: found another content"):
        cycle.verify()
    (restart / "a.nc").unlink()
    with pytest.raises(InputError, match=r"restart: found 1 of 3 files gone, as a\.nc"):
        cycle.verify()


def test_a_broken_chain_is_found_where_it_breaks(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    first, second, third = run.cycles()

    def broken(cycle: Cycle, record: Record) -> str:
        path = cycle.directory / "cycle.json"
        whole = path.read_text()
        path.write_text(json.dumps(record.as_json()))
        with pytest.raises(InputError) as caught:
            run.check_chain()
        path.write_text(whole)
        return str(caught.value)

    other = FileSet({"a.nc": "0" * 64})
    assert "20220602T12/cycle.json: its time: found 2022-06-02T12:00:00Z, expected 2022-06-02T09:00:00Z" in broken(
        second, replace(second.record, end=START + 9 * HOUR)
    )
    said = broken(third, replace(third.record, background=other))
    assert "20220602T12/cycle.json: the digest of its background" in said
    assert "of the restart of 20220602T06" in said
    said = broken(second, replace(second.record, analysis=other))
    assert "20220602T12/cycle.json: what it came from: found 20220602T06 with" in said
    assert "found nothing, expected 20220602T00 with" in broken(second, replace(second.record, origin=None))
    assert "20220602T00/cycle.json: what it came from" in broken(first, replace(first.record, origin=Origin("x", None)))
    run.check_chain()
    shutil.rmtree(first.directory)
    with pytest.raises(InputError, match=r"20220602T06/cycle\.json: its time: .* the start of the run"):
        run.check_chain()


def test_sets_that_were_never_written_do_not_break_the_chain(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    origin = None
    for begin in (0, 6):
        record = Record(START + begin * HOUR, START + (begin + 6) * HOUR, origin=origin, analysis=FileSet({}))
        with new_cycle(run, record.time, SELF) as folder:
            write_record(folder, record, SELF)
        origin = record.as_origin
    assert [cycle.verify() for cycle in run.cycles()] == [[], []]
    assert run.cycles()[0].record.analysis is not None
    run.check_chain()


def test_images_come_once_and_twice_where_an_analysis_lies_between(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    hours = [(0, ""), (3, ""), (6, "before"), (6, "after"), (9, ""), (12, ""), (15, ""), (18, ""), (21, ""), (24, "")]
    assert moments(run) == [(START + hour * HOUR, side) for hour, side in hours]
    for layer, of_layer in enumerate(LAYERS):
        found = list(images(run, of_layer))
        assert [(time, side) for time, side, _ in found] == moments(run)
        for time, side, image in found:
            np.testing.assert_allclose(image, moisture(time, 0.01 * (side == "after"))[layer], rtol=1e-6)
    rain = list(fluxes(run, "rain"))
    assert [times for *times, _ in rain] == [[START + hour * HOUR for hour in (n - 3, n)] for n in range(3, 25, 3)]
    for _, time, image in rain:
        np.testing.assert_allclose(image, flux("rain", time), rtol=1e-6)


def test_a_run_of_one_cycle_that_begins_with_an_analysis(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    make_cycle(run, SELF, begin=0, end=6, analysed=True)
    assert [(time.hour, side) for time, side in moments(run)] == [(0, "after"), (3, ""), (6, "")]


def test_a_history_that_does_not_reach_the_end_of_its_window(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    first = make_cycle(run, SELF, begin=0, end=8)
    make_cycle(run, SELF, begin=8, end=11, origin=first.record.as_origin)
    assert [(time.hour, side) for time, side in moments(run)] == [(0, ""), (3, ""), (6, ""), (8, ""), (11, "")]
    hours = [3, 6, 11]
    assert [(since.hour, until.hour) for since, until, _ in fluxes(run, "rain")] == [(n - 3, n) for n in hours]

    def mean(image: np.ndarray) -> float:
        there = np.isfinite(image)
        return float(np.average(image[there], weights=GRID.cell_area[there]))

    first, *layers, _, rain, runoff, evaporation, left, said = run_table(run).splitlines()
    assert first.split()[-6:] == ["2022-06-02", "00", "UTC", "2022-06-02", "11", "UTC"]
    for line, before, after in zip(layers, moisture(START), moisture(START + 11 * HOUR), strict=True):
        assert line.split()[2:] == [f"{mean(before):.4f}", f"{mean(after):.4f}"]
    total = 3 * 3600 * sum(mean(flux("rain", START + hour * HOUR)) for hour in hours)
    assert rain.split() == ["rain", f"{total:.2f}", f"{total * 24 / 9:.3f}"]
    numbers = [float(line.split()[-2]) for line in (rain, runoff, evaporation, left)]
    assert numbers[3] == pytest.approx(numbers[0] - numbers[1] - numbers[2], abs=0.02)
    assert said.startswith("40 soil columns, 3 of them left alone for ice or frost; ")


def test_never_more_than_one_image_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")
    sizes: list[int] = []

    def counted(*arguments: object) -> np.ndarray:
        values = read_values(*arguments)
        sizes.append(values.size)
        return values

    read_values = history_file.read_values
    monkeypatch.setattr(history_file, "read_values", counted)
    moments(run)
    assert max(sizes) < GRID.latitude.size * GRID.longitude.size
    for n_images, _ in enumerate(images(run, LAYERS[1]), start=1):
        assert sum(size >= 48 for size in sizes) == n_images
    assert max(sizes) == 48


def test_an_unread_rest_closes_its_history(tmp_path: Path) -> None:
    steps = instants(make_run(tmp_path / "run"))
    file = next(steps).history._file
    assert file.isopen()
    steps.close()
    assert not file.isopen()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json: found what cannot be read .* give the folder of a run"):
        open_run(tmp_path)
    make_run(tmp_path / "run")
    path = tmp_path / "run/run.json"
    text = path.read_text()
    for bad in (
        text[: len(text) // 2],
        "[]",
        "",
        text.replace('"start"', '"begin"'),
        text.replace('"seed": 3', '"seed": "3"'),
        text.replace("2022-06-03T00:00:00Z", "2022-06-03T00:00:00"),
        text.replace("2022-06-03T00:00:00Z", "tomorrow"),
    ):
        path.write_text(bad)
        with pytest.raises(InputError, match=r"run\.json: found what cannot be understood"):
            open_run(tmp_path / "run")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"run\.json: found what cannot be read"):
        open_run(tmp_path / "run")


def test_what_is_no_cycle_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run.directory / "cycles/.nfs0001").write_text("")
    second = run.cycles()[1]
    whole = (second.directory / "cycle.json").read_text()
    digest = second.record.background.digest
    assert digest is not None
    for old, new, said in (
        ('"time": "2022-06-02T06', '"time": "2022-06-02T09', "time: found 20220602T09, expected 20220602T06"),
        ('"end": "2022-06-02T12', '"end": "2022-06-02T06', "an end that is not after the start"),
        (f'"corrected": "{digest}"', '"corrected": "0"', "the analysis of another background"),
        (f'"digest": "{digest}"', '"digest": "0"', "a digest that is not that of its files"),
        ("{", "", "what cannot be understood"),
    ):
        edit(second, old, new)
        with pytest.raises(InputError, match=re.escape(said)):
            run.cycles()
        (second.directory / "cycle.json").write_text(whole)
    (run.directory / "cycles/other").mkdir()
    for find in (run.cycles, run.last, run.check_chain, lambda: moments(run)):
        with pytest.raises(InputError, match=r"other/cycle\.json: found what cannot be read"):
            find()


def test_a_run_whose_images_cannot_be_had_says_so(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", RUN, SETTINGS, SELF)
    with pytest.raises(InputError, match="found no complete cycle"):
        moments(run)
    first = make_cycle(run, SELF, begin=0, end=6)
    make_cycle(run, SELF, begin=6, end=12, history=())
    with pytest.raises(InputError, match=r"20220602T06: found no history, expected history/history\.nc"):
        moments(run)
    moved = new_run(tmp_path / "moved", RUN, SETTINGS, SELF)
    make_cycle(moved, SELF, begin=0, end=6)
    grid = Grid(GRID.latitude, GRID.longitude + 0.5)
    make_cycle(moved, SELF, begin=6, end=12, grid=grid, origin=first.record.as_origin)
    with pytest.raises(InputError, match=r"history\.nc: lat, lon: found .* the grid of the cycles before"):
        moments(moved)
    early = new_run(tmp_path / "early", RUN, SETTINGS, SELF)
    make_cycle(early, SELF, begin=0, end=6, history=(0, 3, 9))
    with pytest.raises(
        InputError, match=r"history\.nc: time: found times from 2022-06-02 00:00 UTC to 2022-06-02 09:00"
    ):
        moments(early)
