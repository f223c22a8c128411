"""Restarts that a run does not keep: which, and that it may be interrupted in the middle of removing them."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from problems import SELF
from runs import HOUR, START, make_cycle, new_test_run

from imgda_mpi.cycling.thinning import NEVER, thin
from imgda_mpi.results.run_folder import Cycle

DAY = 24 * HOUR


def a_run(folder: Path, n: int = 8) -> list[Cycle]:
    """The cycles of a run with an analysis every 6 hours."""
    run, done = new_test_run(folder), []
    for number in range(n):
        origin = done[-1].record.as_origin if done else None
        done.append(make_cycle(run, SELF, begin=6 * number, end=6 * number + 6, analysed=True, origin=origin))
    run.check_chain()
    return done


def there(cycles: list[Cycle]) -> list[tuple[bool, bool]]:
    """Whether the analysis and the restart of each are there."""
    return [(bool(cycle.files("analysis")), bool(cycle.files("restart"))) for cycle in cycles]


def test_sets_of_times_so_far_apart_stay_and_what_else_a_cycle_holds(tmp_path: Path) -> None:
    cycles = a_run(tmp_path / "run")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert thin(cycles[:-NEVER], START, DAY) == 2 * 6 - 3
    kept_until = [(True, False), (False, False), (False, False), (False, True), (True, False), (False, False)]
    assert there(cycles) == [*kept_until, (True, True), (True, True)]
    gone = before - {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.parent.name for path in gone} == {"2022-153-00000"}
    assert all((cycle.directory / "history/history.nc").exists() for cycle in cycles)
    for cycle in cycles:
        cycle.verify()
    assert thin(cycles[:-NEVER], START, DAY) == 0


def test_all_stay_where_every_one_is_of_such_a_time(tmp_path: Path) -> None:
    cycles = a_run(tmp_path / "run", 4)
    assert thin(cycles[:-NEVER], START, 6 * HOUR) == 0
    assert thin([], START, timedelta(days=1)) == 0
    assert there(cycles) == [(True, True)] * 4


def test_a_job_that_dies_while_it_removes_a_set_leaves_a_run_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycles, rmtree = a_run(tmp_path / "run", 4), shutil.rmtree

    def dies(folder: Path, **_: object) -> None:
        next(path for path in folder.rglob("*") if path.is_file()).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        thin(cycles[:-NEVER], START, DAY)
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert len(list(tmp_path.rglob(".removed-*"))) == 1
    for cycle in cycles:
        cycle.verify()
    thin(cycles[:-NEVER], START, DAY)
    assert not list(tmp_path.rglob(".removed-*"))
    assert there(cycles) == [(True, False), (False, False), (True, True), (True, True)]


def test_links_to_sets_that_are_gone_go_and_others_stay(tmp_path: Path) -> None:
    cycles = a_run(tmp_path / "run", 4)
    lost, case = (cycles[1].directory / name for name in ("began_with", "landdata"))
    lost.symlink_to(f"../{cycles[0].directory.name}/gone")
    case.symlink_to(tmp_path / "not mounted today")
    thin(cycles[:-NEVER], START, DAY)
    assert (lost.is_symlink(), case.is_symlink()) == (False, True)
