"""Run folders: cycles that are whole or absent, and that chain."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from launch import python
from mpi4py import MPI
from problems import COMMS, SELF, agree
from runs import (
    HOUR,
    RUN,
    SETTINGS,
    START,
    edit,
    make_cycle,
    make_run,
    moments,
    new_test_run,
    shared_folder,
    write_set,
)

from imgda_mpi.disk import checksum
from imgda_mpi.faults import ConfigError, InputError, OutputError
from imgda_mpi.parallel.failure import Ranks, same_fate
from imgda_mpi.results.run_folder import Cycle, open_run
from imgda_mpi.results.run_records import FileSet, Origin, Record
from imgda_mpi.results.run_writing import begin_cycle, end_cycle


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
def test_what_an_attempt_left_is_not_seen_and_handed_over_as_far_as_it_is_whole(
    comm: MPI.Intracomm, tmp_path: Path
) -> None:
    run = new_test_run(shared_folder(tmp_path, comm) / "run", comm)
    first = begin_cycle(run, START, Ranks(comm))
    if comm.rank == 0:
        write_set(first / "restart", "a killed job")
        write_set(first / "analysis", "a whole analysis")
        (first / "log").mkdir()
    comm.barrier()
    assert agree(comm, run.cycles() == [])
    comm.barrier()
    second = begin_cycle(run, START, Ranks(comm))
    assert agree(comm, second != first and not first.exists())
    assert agree(comm, sorted(path.name for path in second.iterdir()) == ["analysis", "log"])
    assert agree(comm, len(list((second / "analysis/2022-153-00000").iterdir())) == 3)
    comm.barrier()
    make_cycle(run, comm, begin=0, end=6)
    assert agree(comm, [path.name for path in (run.directory / "cycles").iterdir()] == ["20220602T00"])


def test_a_process_of_an_earlier_attempt_writes_into_a_folder_without_a_name(tmp_path: Path) -> None:
    run = new_test_run(tmp_path / "run")
    first = begin_cycle(run, START, Ranks(SELF))
    (first / "restart").mkdir()
    with (first / "restart" / "late.nc").open("w") as late:
        second = begin_cycle(run, START, Ranks(SELF))
        late.write("of an earlier attempt")
    assert not any(second.iterdir())
    with pytest.raises(FileNotFoundError):
        (first / "restart" / "later.nc").write_text("")


@pytest.mark.parametrize("comm", COMMS)
def test_a_cycle_is_never_made_twice_nor_with_the_record_of_another(comm: MPI.Intracomm, tmp_path: Path) -> None:
    run = make_run(shared_folder(tmp_path, comm) / "run", comm)
    with pytest.raises(OutputError, match="20220602T06: found a complete cycle"):
        make_cycle(run, comm, begin=6, end=12)
    folder = begin_cycle(run, START + 24 * HOUR, Ranks(comm))
    with pytest.raises(InputError, match=r"cycle\.json: time: found 20220602T00, expected 20220603T00"):
        end_cycle(folder, Record(START, START + HOUR), Ranks(comm))
    comm.barrier()
    assert agree(comm, len(run.cycles()) == 3)


# Dies without a word in the middle of a cycle: while it fills the folder, or with all but the new name done.
DIES = """
import os, sys
from datetime import datetime, UTC
from pathlib import Path
from imgda_mpi.parallel.team import Alone
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_writing import begin_cycle, end_cycle
from imgda_mpi.results.run_records import Record
start = datetime(2022, 6, 2, tzinfo=UTC)
Path.rename = lambda *_: os._exit(9)
folder = begin_cycle(open_run(Path(sys.argv[1])), start, Alone())
if sys.argv[2] == "early":
    os._exit(9)
assert "mpi4py" not in sys.modules
end_cycle(folder, Record(start, datetime(2022, 6, 2, 6, tzinfo=UTC)), Alone())
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_job_that_dies_in_a_cycle_leaves_nothing_under_its_name(tmp_path: Path, when: str) -> None:
    run = new_test_run(tmp_path / "run")
    assert python("-c", DIES, str(run.directory), when).returncode == 9
    assert [folder.suffix for folder in (run.directory / "cycles").iterdir()] == [".partial"]
    assert run.cycles() == []
    make_cycle(run, SELF, begin=0, end=6)
    assert [folder.name for folder in (run.directory / "cycles").iterdir()] == ["20220602T00"]


def test_a_folder_in_use_is_no_new_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    new_test_run(tmp_path / "run")
    with pytest.raises(OutputError, match="found a folder that is not empty"):
        new_test_run(tmp_path / "run")


def test_cycles_begin_at_whole_hours_of_a_time_zone(tmp_path: Path) -> None:
    run = new_test_run(tmp_path / "run")
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
    run = new_test_run(tmp_path / "run")
    origin = None
    for begin in (0, 6):
        record = Record(START + begin * HOUR, START + (begin + 6) * HOUR, origin=origin, analysis=FileSet({}))
        end_cycle(begin_cycle(run, record.time, Ranks(SELF)), record, Ranks(SELF))
        origin = record.as_origin
    assert [cycle.verify() for cycle in run.cycles()] == [[], []]
    assert run.cycles()[0].record.analysis is not None
    run.check_chain()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r": found no run\.json, expected the folder of a run"):
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
    for find in (run.cycles, run.check_chain, lambda: moments(run)):
        with pytest.raises(InputError, match=r"other/cycle\.json: found what cannot be read"):
            find()
