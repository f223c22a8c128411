"""What is done to files on file systems of all kinds."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
from pathlib import Path

import pytest
from mpi4py import MPI

from imgda_mpi.disk import STAGING, check_replaceable, give_name, left_over, link, staging_beside, sync, tree
from imgda_mpi.faults import OutputError
from imgda_mpi.results.folder import new_directory


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_file_system_that_knows_no_order_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    numbers = iter((errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS, errno.EACCES, errno.EIO))

    def refuse(*_: object) -> None:
        raise OSError(next(numbers), "no")

    monkeypatch.setattr(os, call, refuse)
    for _ in range(5):
        sync(tmp_path)
    with pytest.raises(OSError, match="no"):
        sync(tmp_path)


def test_a_pipe_among_the_files_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert sorted(tree(tmp_path)) == [tmp_path, tmp_path / "pipe"]
    for path in tree(tmp_path):
        sync(path)


def test_links_hold_where_a_folder_is_moved_with_what_is_within(tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "case"
    for folder in (run / "a", run / "b", outside):
        folder.mkdir(parents=True)
    link(run / "b/before", run / "a", run)
    link(run / "b/case", outside, run)
    (tmp_path / "elsewhere").mkdir()
    moved = run.rename(tmp_path / "elsewhere/moved")
    assert (moved / "b/before").resolve() == moved / "a"
    assert (moved / "b/case").resolve() == outside


def test_a_whole_folder_whose_name_is_taken_is_kept(tmp_path: Path) -> None:
    staging, final = staging_beside(tmp_path / "out"), tmp_path / "out"
    for folder in (staging, final):
        folder.mkdir()
        (folder / "whose").write_text(folder.name)
    with pytest.raises(
        OutputError, match=r"found what another job has put there meanwhile.*is in .*/out\.kept-"
    ) as told:
        give_name(staging, final)
    (kept,) = tmp_path.glob("out.kept-*")
    assert str(kept) in str(told.value)
    assert [(path / "whose").read_text() for path in (kept, final)] == [staging.name, "out"]


def test_a_folder_that_another_job_has_filled_meanwhile_is_said(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("")
    said = "found what another job has put there meanwhile, .*; start again: of the same settings"
    with pytest.raises(OutputError, match=said), new_directory(tmp_path, MPI.COMM_SELF):
        pass


def test_a_whole_folder_that_can_have_no_other_name_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "no")

    said = rf"whole result is in .*/{STAGING}.*before another run there removes it"
    with pytest.raises(OutputError, match=said), new_directory(tmp_path / "out", MPI.COMM_SELF) as folder:
        (folder / "result").write_text("")
        monkeypatch.setattr(Path, "rename", refuse)
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_place_that_nothing_can_take_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_replaceable(tmp_path)
    with pytest.raises(OutputError, match=r"^/proc: found a mount point.*give one in it, as /proc/result$"):
        check_replaceable(Path("/proc"))
    # A folder that is mounted elsewhere in its own file system.
    monkeypatch.setattr(Path, "is_mount", lambda _: False)
    with pytest.raises(OutputError, match="found a mount point"):
        check_replaceable(Path("/proc"))


def test_what_killed_jobs_have_left_is_known_from_what_is_at_work_and_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at_work = staging_beside(tmp_path / "out")
    ended = subprocess.run(["bash", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    left = at_work.with_name(at_work.name.replace(f"-{os.getpid()}-", f"-{ended}-"))
    # Of another machine, or of a container of this one: processes of the same number are others.
    elsewhere = left.with_name(left.name.replace(f"-{ended}-", f"0-{ended}-"))
    old = tmp_path / f"{STAGING}other-host-{ended}-0b"
    for folder in (at_work, left, elsewhere, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert left_over(tmp_path) == {left: True, elsewhere: False, old: True}
    caplog.set_level(logging.INFO, "imgda_mpi")
    with new_directory(tmp_path / "out", MPI.COMM_SELF):
        pass
    assert {*tmp_path.iterdir()} == {at_work, elsewhere, tmp_path / "out"}
    said = (f"removed {left}, which", f"removed {old}, which", f"{elsewhere} is of a job at work, or of one")
    assert all(any(one.startswith(begin) for one in caplog.messages) for begin in said)
