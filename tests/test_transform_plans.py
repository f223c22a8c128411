"""FFT plans that a job measures once: kept, shared, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.distributed import transform as plans
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import ConfigError

SHAPE = (40, 66)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and images of any size large enough for measured plans."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(plans, "MEASURED_FROM", 0)
    return tmp_path / "imgda_mpi"


def test_plans_are_measured_once_and_give_the_same_bits_later(cache: Path, rng: np.random.Generator) -> None:
    image = rng.standard_normal(SHAPE)
    first = make_transform(TransformKind(), SHAPE, MPI.COMM_SELF).forward(image)
    (kept,) = cache.iterdir()
    assert kept.name.startswith("fftw-40x66-")
    content = kept.read_text()
    assert len(json.loads(content)) == 3
    again = make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    assert kept.read_text() == content
    np.testing.assert_array_equal(again.forward(image), first)
    assert again.wisdom is not None


def test_other_settings_have_plans_of_their_own(cache: Path) -> None:
    for wanted in (TransformKind(), TransformKind(precision="single"), TransformKind(finest="curvelets")):
        make_transform(wanted, SHAPE, MPI.COMM_SELF)
    assert len(list(cache.iterdir())) == 3


def test_plans_of_another_set_are_not_taken(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    monkeypatch.setattr(plans, "PLANS", plans.PLANS + 1)
    make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    assert len(list(cache.iterdir())) == 2


def test_plans_are_estimated_where_they_cannot_be_kept(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("a file in the place of the folder")
    transform = make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    assert transform.wisdom is None
    assert "cannot be kept" in caplog.text


def test_a_damaged_file_of_plans_is_named_and_not_used(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    (kept,) = cache.iterdir()
    kept.write_text("[")
    transform = make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    assert transform.wisdom is None
    assert str(kept) in caplog.text


def test_a_run_that_was_slower_takes_the_plans_of_the_other(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    (kept,) = cache.iterdir()
    content = kept.read_text()
    kept.unlink()
    measure = plans._transform

    def while_another_run_is_faster(*arguments):
        kept.write_text(content)
        return measure(*arguments)

    monkeypatch.setattr(plans, "_transform", while_another_run_is_faster)
    make_transform(TransformKind(), SHAPE, MPI.COMM_SELF)
    assert kept.read_text() == content
    assert len(list(cache.iterdir())) == 1


def test_small_images_need_no_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert make_transform(TransformKind(), (128, 256), MPI.COMM_SELF).wisdom is None
    assert not list(tmp_path.iterdir())


def test_settings_that_do_not_fit_the_image_are_an_error_of_the_user(cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"n_scales=9.* \(image of 40 x 66\)"):
        make_transform(TransformKind(n_scales=9), SHAPE, MPI.COMM_SELF)
    assert not list(cache.iterdir())
