"""The embedded case as a whole."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cases import GLDAS

from imgda_mpi.example.case import write_example
from imgda_mpi.faults import OutputError
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings


def test_settings_point_to_the_files(example: Path) -> None:
    settings = read_settings(example / "case.toml", Settings)
    assert settings.method.label == "innovation/full"
    assert settings.model.directory == example / "model/demo"
    assert settings.model.time == datetime(2022, 6, 2, 6, tzinfo=UTC)
    assert Path(f"{settings.model.time:{settings.observation.file}}") == example / GLDAS
    assert settings.output.directory == example / "analysis"
    assert not settings.output.directory.exists()


def test_example_is_small_and_the_same_every_time(example: Path, tmp_path: Path) -> None:
    def digests(root: Path) -> dict[str, str]:
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert sum(path.stat().st_size for path in example.rglob("*") if path.is_file()) < 40e6
    assert digests(write_example(tmp_path).parent) == digests(example)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="found a folder that is not empty, expected a new folder"):
        write_example(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(OutputError, match=r"mine\.txt: found a file, expected a new folder"):
        write_example(tmp_path / "mine.txt")
    with pytest.raises(OutputError, match=r"mine\.txt: found a file, expected a folder"):
        write_example(tmp_path / "mine.txt" / "below")
