"""What is made of a truth: swaths, white and red noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, REGION, TIME, agree

from imgda_mpi.covariances.exponential import ExponentialCovariance, red_covariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.grid import global_grid
from imgda_mpi.numerics.perturbations import Sample, perturbation
from imgda_mpi.settings.comparison import Swaths
from imgda_mpi.verify.noise import Noise, swaths, within_boxes

GLOBE = global_grid((64, 128))


def test_swaths_are_where_the_formula_says() -> None:
    seen = swaths((128, 256), period=22, width=9, slope=0.35)
    row, column = 37, 141
    assert seen[row, column] == ((column + int(0.35 * row)) % 22 < 9)
    assert seen.mean() == pytest.approx(9 / 22, abs=0.01)
    assert swaths((3, 4), **Swaths().pattern).all()


def test_white_noise_has_the_bits_of_its_key() -> None:
    white = perturbation(GLOBE.shape, seed=3, time=TIME, kind="observation", member=1_000_002)
    np.testing.assert_array_equal(Noise(GLOBE, 0.1).draw(TIME, 3, 2), 0.1 * white)


def correlation(images: np.ndarray, rows: int, columns: int) -> float:
    """Of pixels so far apart, images (n, ny, nx) of mean 0."""
    a = images[:, : images.shape[1] - rows, : images.shape[2] - columns]
    b = images[:, rows:, columns:]
    return float((a * b).mean() / (images**2).mean())


@pytest.mark.parametrize("length", [1.0, 2.0, 4.0])
def test_red_noise_has_its_standard_deviation_and_length(length: float) -> None:
    images = np.stack([Noise(GLOBE, 0.0, 0.08, length).draw(TIME, seed, 0) for seed in range(40)])
    assert images.std() == pytest.approx(0.08, rel=0.02)
    n = round(length)
    for rows, columns in ((0, n), (n, 0), (0, 2 * n), (n, n)):
        expected = math.exp(-math.hypot(rows, columns) / length)
        assert correlation(images, rows, columns) == pytest.approx(expected, abs=0.03)
    # The globe is closed in longitude, and not over the poles.
    edges = [(images[:, :, 0] * images[:, :, -1]).mean(), (images[:, 0] * images[:, -1]).mean()]
    assert edges[0] / 0.08**2 == pytest.approx(math.exp(-1 / length), abs=0.08)
    assert edges[1] / 0.08**2 == pytest.approx(0.0, abs=0.1)


def test_the_parts_of_noise_add_up_within_boxes_alone() -> None:
    boxes = [(10.0, 50.0, 170.0, 190.0)]
    white, both = Noise(GLOBE, 0.04), Noise(GLOBE, 0.04, 0.08, 2.0, boxes)
    red = both.draw(TIME, 1, 0) - white.draw(TIME, 1, 0)
    inside = within_boxes(GLOBE, boxes)
    latitude, longitude = np.meshgrid(GLOBE.latitude, GLOBE.longitude, indexing="ij")
    np.testing.assert_array_equal(inside, (latitude > 10) & (latitude < 50) & (np.abs(longitude) > 170))
    assert inside.any()
    assert (red[~inside] == 0).all()
    assert red[inside].std() == pytest.approx(0.08, rel=0.35)
    assert within_boxes(GLOBE, [(-90.0, 90.0, -180.0, 180.0)]).all()


def test_the_covariance_is_exponential_with_an_exact_variance() -> None:
    covariance = ExponentialCovariance(ImageRows(MPI.COMM_SELF, (20, 24)), 0.08, 2.0)
    matrix = np.stack([covariance.apply(unit.reshape(20, 24)).ravel() for unit in np.eye(480)])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    np.testing.assert_allclose(np.diag(matrix), 0.08**2, rtol=1e-12)
    np.testing.assert_array_equal(covariance.variance, np.full((20, 24), 0.08**2))
    row, column = np.divmod(np.arange(480), 24)
    distance = np.hypot(np.minimum(row, 20 - row), np.minimum(column, 24 - column))
    np.testing.assert_allclose(matrix[0], 0.08**2 * np.exp(-distance / 2.0), rtol=1e-9)


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("grid", [GLOBE, REGION])
def test_draws_have_the_same_bits_on_any_number_of_ranks(grid: object, comm: MPI.Intracomm) -> None:
    sample = Sample(5, TIME, 1_000_000)
    alone = red_covariance(grid, 0.08, 2.0, MPI.COMM_SELF).draw(sample)
    shared = red_covariance(grid, 0.08, 2.0, comm)
    whole = ImageRows(comm, alone.shape).whole(shared.draw(sample))
    assert agree(comm, np.array_equal(whole, alone))
