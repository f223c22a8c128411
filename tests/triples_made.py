"""Three products of one truth, made up, whose errors are known."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from problems import SELF, TIME

from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.numerics.perturbations import Sample

GRID = global_grid((128, 256))
SLOPE = 10.0  # by which the variance of a coefficient falls from scale to scale, from the second on
WHITE = 0.02  # m3 m-3
SD = 0.07  # m3 m-3, of the coherent errors of background and observation


def transform_on(grid: Grid, comm: MPI.Intracomm = SELF) -> CurveletTransform:
    kind, shape = TransformKind().on(grid, scales_by_size=True)
    return make_transform(kind, shape, comm)


class Maker:
    """Draws images with a red spectrum on a grid that is its own transform's."""

    def __init__(self, grid: Grid = GRID) -> None:
        transform = transform_on(grid)
        powers = WedgePowers(transform, SELF)
        variances = SLOPE ** -np.maximum(powers.scale, 2.0)
        self._red = WedgeCovariance(ImageRows(SELF, grid.shape), powers, variances / np.sum(variances * powers.norms))
        self._number = 0
        self.land = self.red() > 0.4  # a third of the globe, in continents

    def red(self, sd: float = 1.0) -> np.ndarray:
        """The next image, of independent ones."""
        self._number += 1
        return sd * self._red.draw(Sample(7, TIME, self._number))

    def triple(
        self, share: float, rng: np.random.Generator, amplitude: float = 1.0, white: float = WHITE
    ) -> tuple[np.ndarray, float]:
        """Background, observation and third product (3, ny, nx), NaN off the land, and the share that was drawn.

        ``share`` is the expected one of the observation in the coherent errors of the first two.
        """
        truth, of_background, of_observation = self.red(0.08), self.red(np.sqrt(1 - share)), self.red(np.sqrt(share))
        background, observation = (SD * error for error in (of_background, of_observation))
        noise = white * rng.standard_normal(truth.shape)
        images = [
            0.25 + truth + background,
            0.27 + amplitude * truth + observation + noise,
            0.22 + 0.9 * truth + self.red(0.05),
        ]
        powers = [error[self.land].var() for error in (background, observation)]
        return np.where(self.land, images, np.nan), float(powers[1] / sum(powers))
