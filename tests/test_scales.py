"""Scores told apart by curvelet scale."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import SELF

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind
from imgda_mpi.grid import Grid, embed, global_grid
from imgda_mpi.verify.scales import Scales, scales_on, shortest_waves
from imgda_mpi.verify.scores import scores

GRID = Grid(-20.0 + np.arange(40.0), 10.0 + np.arange(56.0))
SHAPE = GRID.transform_shape(4)


@pytest.fixture(scope="module")
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, 4)


@pytest.fixture
def images(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, reference with gaps, and the cells that are looked at."""
    reference = 0.3 + 0.05 * rng.standard_normal(GRID.shape).cumsum(axis=1) / 5
    estimate = reference + 0.02 + 0.03 * rng.standard_normal(GRID.shape)
    reference[rng.uniform(size=GRID.shape) < 0.2] = np.nan
    return estimate, reference, rng.uniform(size=GRID.shape) < 0.7


def _by_scale(transform: CurveletTransform, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sums of products of coefficients by scale, from whole forward transforms."""
    a, b = (transform.forward(embed(image, SHAPE)) for image in (first, second))
    sums = np.zeros(4)
    for wedge in transform.layout.wedges:
        part = slice(wedge.start, wedge.stop)
        sums[wedge.scale - 1] += (1 if wedge.is_real else 2) * float(a[part] @ b[part])
    return sums


def test_scores_are_those_of_whole_transforms(transform: CurveletTransform, images: tuple[np.ndarray, ...]) -> None:
    estimate, reference, where = images
    found = Scales(transform).of(estimate, reference, where)
    cells = where & np.isfinite(reference)
    e, r = (np.where(cells, image - image[cells].mean(), 0.0) for image in (estimate, reference))
    assert found.n_cells == cells.sum()
    power = {"e": _by_scale(transform, e, e), "r": _by_scale(transform, r, r), "er": _by_scale(transform, e, r)}
    np.testing.assert_allclose(
        found.error, np.sqrt(_by_scale(transform, e - r, e - r) / cells.sum()), rtol=1e-10, atol=0
    )
    np.testing.assert_allclose(found.correlation, power["er"] / np.sqrt(power["e"] * power["r"]), rtol=1e-10, atol=0)
    np.testing.assert_allclose(found.reference, np.sqrt(power["r"] / cells.sum()), rtol=1e-10, atol=0)


def test_squares_over_scales_add_up_to_the_ubrmse(transform: CurveletTransform, images: tuple[np.ndarray, ...]) -> None:
    found, whole = Scales(transform).of(*images), scores(*images)
    assert np.sqrt(np.square(found.error).sum()) == pytest.approx(whole.ubrmse, rel=1e-12)
    assert found.n_cells == whole.n_cells


def test_image_of_itself_is_right_at_every_scale(transform: CurveletTransform, images: tuple[np.ndarray, ...]) -> None:
    _, reference, where = images
    found = Scales(transform).of(reference + 0.125, reference, where)
    np.testing.assert_allclose(found.error, 0.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.correlation, 1.0, rtol=0, atol=1e-12)


def test_large_structures_right_and_small_ones_not(transform: CurveletTransform, rng: np.random.Generator) -> None:
    row, column = np.mgrid[: GRID.shape[0], : GRID.shape[1]]
    waves = 0.1 * np.sin(2 * np.pi * row / 40) * np.cos(2 * np.pi * column / 56)
    a, b = (waves + 0.02 * rng.standard_normal(GRID.shape) for _ in range(2))
    found = Scales(transform).of(a, b)
    assert found.correlation[0] > 0.95
    assert abs(found.correlation[-1]) < 0.2
    assert found.error[-1] > 3 * found.error[0]


def test_nothing_to_score_is_nan_with_its_count(transform: CurveletTransform, images: tuple[np.ndarray, ...]) -> None:
    estimate, reference, _ = images
    of = Scales(transform)
    few = np.zeros(GRID.shape, bool)
    few.flat[np.flatnonzero(np.isfinite(reference))[:2]] = True
    found = of.of(estimate, reference, few)
    assert found.n_cells == 2
    assert np.isnan([found.error, found.correlation, found.reference]).all()
    constant = of.of(np.full(GRID.shape, 0.1), reference)
    assert np.isnan(constant.correlation).all()
    np.testing.assert_allclose(constant.error, constant.reference, rtol=1e-12, atol=0)


def test_shapes_that_differ_are_refused(transform: CurveletTransform, images: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        Scales(transform).of(images[0], images[1][1:])


def test_scales_of_a_grid_are_those_of_a_comparison() -> None:
    grid = global_grid((64, 128))
    kind, shape = TransformKind().on(grid, scales_by_size=True)
    found = scales_on(grid, SELF)
    assert found.n_scales == kind.n_scales == grid.n_scales
    waves = shortest_waves(grid, found.n_scales)
    assert waves[0] >= 3e6
    assert waves[-1] == pytest.approx(2 * grid.row_height)
    assert shape == (64, 128)


@pytest.mark.mpi
def test_scores_are_the_same_on_every_rank() -> None:
    comm = MPI.COMM_WORLD
    grid, rng = global_grid((64, 128)), np.random.default_rng(3)
    a, b = rng.standard_normal((2, *grid.shape))
    found = scales_on(grid, comm).of(a, b)
    every = comm.allgather((found.error.tobytes(), found.correlation.tobytes()))
    assert len(set(every)) == 1
