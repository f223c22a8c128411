"""What is done to files on file systems of all kinds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from imgda_mpi.disk import sync, tree


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
    for path in tree(tmp_path):
        sync(path)
