"""Agreement of an image with another told apart by curvelet scale: the structures that it got right, and those not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import Grid, coarsest_wave, embed
from imgda_mpi.verify.scores import MIN_CELLS

ROUNDING = 1e-24
"""Part of the power of an image below which that of a scale is the rounding of the others."""


@dataclass(frozen=True, eq=False)
class ScaleScores:
    """Agreement by scale, the coarsest first; NaN where there are fewer than `MIN_CELLS` cells.

    Parameters
    ----------
    n_cells : number of cells compared
    error : root mean square, over the cells, of what each scale carries of the error without its mean, (n_scales,)
        m3 m-3: the squares add up to that of the ubRMSE
    correlation : of the coefficients of each scale, (n_scales,); NaN also where either image has nothing of a scale
    reference : as error, of the image of reference without its mean, (n_scales,) m3 m-3
    """

    n_cells: int
    error: FloatArray
    correlation: FloatArray
    reference: FloatArray


class Scales:
    """Scores of images on one grid by the scales of a transform. Not collective, and the same on every rank.

    Parameters
    ----------
    transform : of arrays that the images are embedded in, see `Grid.transform_shape`
    """

    def __init__(self, transform: CurveletTransform) -> None:
        self._transform = transform
        self._powers = WedgePowers(transform, MPI.COMM_SELF)
        self.n_scales = int(self._powers.scale.max())

    def of(self, estimate: FloatArray, reference: FloatArray, where: BoolArray | None = None) -> ScaleScores:
        """Scores of an image (ny, nx) m3 m-3 over the cells where both are finite, as `imgda_mpi.verify.scores`.

        Of both images the mean over these cells is taken off, and the other cells hold 0. With a and b the coefficients
        of their anomalies, and sums over the coefficients of a scale (those of complex wedges twice, for their opposite
        half):

        - error = sqrt(sum((a - b)^2) / n_cells)
        - correlation = sum(a b) / sqrt(sum(a^2) sum(b^2))

        Raises
        ------
        ValueError
            Where the shapes differ, or the transform is too small for them.
        """
        if estimate.shape != reference.shape or (where is not None and where.shape != estimate.shape):
            shapes = estimate.shape, reference.shape, None if where is None else where.shape
            raise ValueError(f"estimate, reference and where must have one shape, found {shapes}")
        compared = np.isfinite(estimate) & np.isfinite(reference)
        if where is not None:
            compared &= where
        n_cells = int(np.count_nonzero(compared))
        if n_cells < MIN_CELLS:
            nothing = np.full(self.n_scales, np.nan)
            return ScaleScores(n_cells, nothing, nothing, nothing)
        first, second = (self._powers.coefficients(self._anomalies(one, compared)) for one in (estimate, reference))
        sums = np.zeros((4, self.n_scales))
        for (_, wedge, a), (_, _, b) in zip(first, second, strict=True):
            a, b = a.astype(np.float64), b.astype(np.float64)
            of_wedge = [float(np.sum(c * d)) for c, d in ((a - b, a - b), (a, b), (a, a), (b, b))]
            sums[:, wedge.scale - 1] += np.array(of_wedge) * (1 if wedge.is_real else 2)
        error, product, own, other = sums
        has_both = (own > ROUNDING * own.sum()) & (other > ROUNDING * other.sum())
        correlation = np.full(self.n_scales, np.nan)
        product, powers = product[has_both], (own * other)[has_both]
        correlation[has_both] = np.clip(product / np.sqrt(powers), -1.0, 1.0)
        return ScaleScores(n_cells, np.sqrt(error / n_cells), correlation, np.sqrt(other / n_cells))

    def _anomalies(self, image: FloatArray, compared: BoolArray) -> FloatArray:
        """Departures from the mean over some cells, 0 elsewhere, embedded."""
        values = image[compared]
        anomalies = np.zeros(image.shape)
        # Rounding gives a constant image anomalies of its own.
        anomalies[compared] = values - values.mean() if np.ptp(values) > 0 else 0.0
        return embed(anomalies, self._transform.layout.image_shape)


def scales_on(grid: Grid, comm: MPI.Intracomm) -> Scales:
    """Scores by the scales of a grid, whose coarsest holds waves longer than 3000 km. Collective over ``comm``.

    The transform is the one that a comparison tells errors apart by, see `Grid.n_scales`.

    Raises
    ------
    ConfigError
        Where the grid is too small for a transform.
    """
    kind, shape = TransformKind().on(grid, scales_by_size=True)
    return Scales(make_transform(kind, shape, comm))


def shortest_waves(grid: Grid, n_scales: int) -> FloatArray:
    """The shortest waves that each scale holds, the coarsest first, (n_scales,) m: two rows at least."""
    pixels = coarsest_wave(n_scales) / 2.0 ** np.arange(n_scales)
    return np.maximum(pixels, 2.0) * grid.row_height
