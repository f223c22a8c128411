"""What a run says of what it has assimilated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from runs import make_run

from imgda_mpi.disk import checksum
from imgda_mpi.faults import InputError
from imgda_mpi.histories.assimilated import assimilated_by

NAME = "image.%Y%m%d%H.nc"


def run_of(folder: Path) -> tuple[Path, Path]:
    """A run whose only analysis, of 6 UTC, was given an image; its folder and the image."""
    run = make_run(folder / "run")
    image = folder / "image.2022060206.nc"
    image.write_text("an image")
    entry = {"file": str(image), "bytes": image.stat().st_size, "sha256": checksum(image)}
    other = {"file": "/case/restart.nc", "bytes": 3, "sha256": "0"}
    manifest = run.cycles()[1].directory / "analysis/manifest.json"
    manifest.write_text(json.dumps({"inputs": [other, entry]}))
    return run.directory, image


def test_a_product_is_assimilated_where_an_analysis_has_read_its_file(tmp_path: Path) -> None:
    directory, image = run_of(tmp_path)
    assert assimilated_by(directory, tmp_path / NAME)
    assert assimilated_by(directory, tmp_path / "run" / ".." / NAME)
    assert not assimilated_by(directory, tmp_path / "other.%Y%m%d%H.nc")
    assert not assimilated_by(directory, tmp_path / "image.%Y%m%d.nc")
    image.unlink()
    assert assimilated_by(directory, tmp_path / NAME)


def test_the_same_content_under_another_name_is_the_same_product(tmp_path: Path) -> None:
    directory, image = run_of(tmp_path)
    shutil.copy(image, tmp_path / "copy.06.nc")
    assert assimilated_by(directory, tmp_path / "copy.%H.nc")
    (tmp_path / "copy.06.nc").write_text("AN IMAGE")
    assert not assimilated_by(directory, tmp_path / "copy.%H.nc")


def test_settings_say_it_where_the_analysis_does_not(tmp_path: Path) -> None:
    directory, _ = run_of(tmp_path)
    (directory / "cycles/20220602T06/analysis/manifest.json").unlink()
    assert not assimilated_by(directory, tmp_path / NAME)
    settings = directory / "settings.toml"
    settings.write_text(settings.read_text() + f'[observation]\nfile = "{tmp_path / NAME}"\n')
    assert assimilated_by(directory, tmp_path / NAME)


def test_what_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    directory, _ = run_of(tmp_path)
    (directory / "cycles/20220602T06/analysis/manifest.json").write_text("[1")
    with pytest.raises(InputError, match=r"manifest\.json: found what cannot be understood"):
        assimilated_by(directory, tmp_path / NAME)
    with pytest.raises(InputError, match="give the folder of a run"):
        assimilated_by(tmp_path, tmp_path / NAME)
