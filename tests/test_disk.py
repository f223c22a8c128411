"""What is done to files on file systems of all kinds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from imgda_mpi.disk import link, sync, tree


def test_a_file_system_that_knows_no_order_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter((errno.EINVAL, errno.ENOTSUP, errno.EIO))

    def refuse(_: int) -> None:
        raise OSError(next(numbers), "no")

    monkeypatch.setattr(os, "fsync", refuse)
    sync(tmp_path)
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
