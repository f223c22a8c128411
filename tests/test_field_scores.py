"""Scores of images by region and in each cell."""

import numpy as np
import pytest

from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.verify.field_scores import SCORES, CellSums, RegionScores
from imgda_mpi.verify.regions import BOXES, cells_of
from imgda_mpi.verify.scores import scores

GRID = global_grid((20, 40))
REGIONS = {"all": np.ones(GRID.shape, bool), **{name: cells_of(GRID, box) for name, box in BOXES.items()}}


def images(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates, an image, and cells where all are finite."""
    generator = np.random.default_rng(3)
    image = 0.25 + 0.05 * generator.standard_normal(GRID.shape)
    estimates = image + 0.02 + 0.03 * generator.standard_normal((n, *GRID.shape))
    where = generator.random(GRID.shape) < 0.7
    image[~where] = np.nan
    return estimates, image, where


def test_scores_with_equal_weights_are_those_of_an_image_in_every_region() -> None:
    estimates, image, where = images(2)
    found = RegionScores(GRID, REGIONS).of(estimates, image, where)
    for run, estimate in enumerate(estimates):
        for number, cells in enumerate(REGIONS.values()):
            one = scores(estimate, image, cells)
            expected = [one.n_cells, one.scc, one.ubrmse, one.bias, np.hypot(one.ubrmse, one.bias)]
            np.testing.assert_allclose(found[run, number, 0], expected, rtol=1e-12)


def test_area_weights_are_those_of_weighted_moments() -> None:
    estimates, image, where = images(1)
    found = RegionScores(GRID, REGIONS).of(estimates, image, where)
    weight = GRID.cell_area[where]
    e, r = estimates[0][where], image[where]
    covariance = np.cov(e, r, aweights=weight, ddof=0)
    mse = np.average((e - r) ** 2, weights=weight)
    bias = np.average(e - r, weights=weight)
    expected = [
        where.sum(),
        covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]),
        np.sqrt(mse - bias**2),
        bias,
        np.sqrt(mse),
    ]
    np.testing.assert_allclose(found[0, 0, 1], expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "value"), [(2, None), (3, 0.2)])
def test_no_correlation_of_few_cells_or_a_constant_image(n: int, value: float | None) -> None:
    estimates, image, _ = images(1)
    where = np.zeros(GRID.shape, bool)
    where.flat[np.flatnonzero(np.isfinite(image))[:n]] = True
    if value is not None:
        estimates = np.full_like(estimates, value)
    found = dict(zip(SCORES, RegionScores(GRID, REGIONS).of(estimates, image, where)[0, 0, 0], strict=True))
    assert found["n"] == n
    assert np.isnan(found["scc"])
    assert np.isnan(found["bias"]) == (value is None)


def test_sums_of_cells_give_scores_in_time_however_they_are_joined() -> None:
    generator = np.random.default_rng(5)
    truth = 0.3 + 0.1 * generator.standard_normal((12, 1, 4, 6))
    runs = truth[:, None] + 0.05 * generator.standard_normal((12, 2, 1, 4, 6))
    where = generator.random((12, 4, 6)) < 0.8
    whole, parts = CellSums.empty(2, 1, (4, 6)), [CellSums.empty(2, 1, (4, 6)) for _ in range(3)]
    for time in range(12):
        for sums in (whole, parts[time // 4]):
            sums.add(0, runs[time, :, 0], truth[time, 0], where[time])
    parts[0].join(parts[1])
    parts[0].join(parts[2])
    maps, joined = whole.maps(0), parts[0].maps(0)
    for name, values in maps.items():
        np.testing.assert_allclose(joined[name], values, rtol=1e-9)
    use = where[:, 2, 3]
    e, r = runs[use, 1, 0, 2, 3], truth[use, 0, 2, 3]
    assert maps["n"][2, 3] == use.sum()
    assert maps["correlation"][1, 2, 3] == pytest.approx(np.corrcoef(e, r)[0, 1], rel=1e-9)
    assert maps["ubrmse"][1, 2, 3] == pytest.approx(np.std(e - r), rel=1e-9)
    assert maps["bias"][1, 2, 3] == pytest.approx(np.mean(e - r), rel=1e-9)


def test_boxes_hold_whatever_the_range_of_longitudes() -> None:
    turned = Grid(GRID.latitude, GRID.longitude + 180.0)
    for box in BOXES.values():
        cells = cells_of(GRID, box)
        assert cells.sum() == cells_of(turned, box).sum() > 0
