"""Scores of images in time: of each moment by region, and of each cell over the moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.sparse import csr_array, vstack
from imgda_mpi.verify.scores import MIN_CELLS

SCORES = ("n", "scc", "ubrmse", "bias", "rmse")
"""Cells, spatial correlation, unbiased root mean square difference, bias and root mean square difference, m3 m-3."""

WEIGHTS = ("equal", "area")
"""Of the cells: all the same, as in Bai et al. (2026), or by their area on the sphere."""

CONSTANT = 1e-12
"""Variance, (m3 m-3)^2, below which an image is constant: single precision has as much."""


class RegionScores:
    """Scores of images of one grid in regions.

    Parameters
    ----------
    grid : (ny, nx)
    regions : cells by name, (ny, nx)
    """

    def __init__(self, grid: Grid, regions: Mapping[str, BoolArray]) -> None:
        cells = csr_array(np.array([region.ravel() for region in regions.values()], np.float64))
        self._n_regions = len(regions)
        area = grid.cell_area.ravel() / grid.cell_area.max()
        self._sums = vstack([cells, cells.multiply(area)], format="csr")

    def of(self, estimates: FloatArray, image: FloatArray, where: BoolArray) -> FloatArray:
        """Scores of estimates (n, ny, nx) against an image (ny, nx) over some cells, m3 m-3 and finite there.

        Returns
        -------
        (n, n_regions, n_weights, n_scores) array
            NaN of fewer than three cells, and the correlation also where either image is constant.

        Notes
        -----
        With e the estimate, r the image and <> the weighted mean: bias = <e - r>, RMSE^2 = <(e - r)^2>, ubRMSE^2 =
        RMSE^2 - bias^2 (Entekhabi et al. 2010), SCC = Pearson's correlation.
        """
        use = where.ravel().astype(np.float64)
        reference = np.where(where, image, 0.0).ravel()
        own = [np.where(where, estimate, 0.0).ravel() for estimate in estimates]
        # Means are taken off first: differences of large sums would lose digits.
        number = max(float(use.sum()), 1.0)
        middle = float(reference.sum()) / number
        reference = (reference - middle) * use
        terms = [use, reference, reference**2]
        offsets = []
        for estimate in own:
            offsets.append(float(estimate.sum()) / number - middle)
            departure = (estimate - middle - offsets[-1]) * use
            terms += [departure, departure**2, departure * reference]
        sums = np.stack([self._sums @ term for term in terms], axis=-1).reshape(len(WEIGHTS), self._n_regions, -1)
        return np.stack(
            [_scores(sums[..., :3], sums[..., 3 + 3 * n : 6 + 3 * n], offset) for n, offset in enumerate(offsets)]
        )


def _scores(of_image: FloatArray, of_estimate: FloatArray, offset: float) -> FloatArray:
    """Scores (n_regions, n_weights, n_scores) from sums (n_weights, n_regions, 3) of w, r, r^2 and of e, e^2, e r."""
    (total, r, rr), (e, ee, er) = np.moveaxis(of_image, -1, 0), np.moveaxis(of_estimate, -1, 0)
    n_cells = np.broadcast_to(total[0], total.shape)  # those of equal weight
    scc, ubrmse, bias = _agreement(np.where(n_cells >= MIN_CELLS, total, np.nan), r, rr, e, ee, er)
    bias += offset
    scores = np.stack([n_cells, scc, ubrmse, bias, np.hypot(ubrmse, bias)], axis=-1)
    return np.swapaxes(scores, 0, 1)


def _agreement(
    total: FloatArray, r: FloatArray, rr: FloatArray, e: FloatArray, ee: FloatArray, er: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation, ubRMSE and bias from sums of weights, r, r^2, e, e^2 and e r.

    There is no correlation where r or e varies by no more than rounding.
    """
    mean_r, mean_e = r / total, e / total
    var_r, var_e, shared = rr / total - mean_r**2, ee / total - mean_e**2, er / total - mean_e * mean_r
    product = np.where((var_e > CONSTANT) & (var_r > CONSTANT), var_e * var_r, np.nan)
    correlation = np.clip(shared / np.sqrt(product), -1.0, 1.0)
    return correlation, np.sqrt(np.maximum(var_e + var_r - 2.0 * shared, 0.0)), mean_e - mean_r


@dataclass(eq=False)
class CellSums:
    """Sums over moments in each cell, from which scores in time follow.

    Parameters
    ----------
    of_image : number, image, image^2 by layer, (3, n_layers, ny, nx)
    of_estimates : estimate, estimate^2, estimate x image by run and layer, (3, n_runs, n_layers, ny, nx)
    """

    of_image: FloatArray
    of_estimates: FloatArray

    @staticmethod
    def empty(n_runs: int, n_layers: int, shape: tuple[int, int]) -> CellSums:
        """Of no moment yet."""
        return CellSums(np.zeros((3, n_layers, *shape)), np.zeros((3, n_runs, n_layers, *shape)))

    def add(self, layer: int, estimates: FloatArray, image: FloatArray, where: BoolArray) -> None:
        """A moment of a layer by its number: estimates (n_runs, ny, nx), image (ny, nx), m3 m-3, in some cells."""
        reference = np.where(where, image, 0.0)
        for number, term in enumerate((where, reference, reference**2)):
            self.of_image[number, layer] += term
        for run, estimate in enumerate(estimates):
            own = np.where(where, estimate, 0.0)
            for number, term in enumerate((own, own**2, own * reference)):
                self.of_estimates[number, run, layer] += term

    def join(self, later: CellSums) -> None:
        """The moments of other sums too, which come after the own ones."""
        self.of_image += later.of_image
        self.of_estimates += later.of_estimates

    def maps(self, layer: int) -> dict[str, FloatArray]:
        """Scores in time of a layer by its number: moments (ny, nx); correlation, ubRMSE, bias (n_runs, ny, nx).

        NaN of fewer than three moments; m3 m-3 but for the correlation.
        """
        number, r, rr = self.of_image[:, layer]
        total = np.where(number >= MIN_CELLS, number, np.nan)
        correlation, ubrmse, bias = _agreement(total, r, rr, *self.of_estimates[:, :, layer])
        return {"n": number, "correlation": correlation, "ubrmse": ubrmse, "bias": bias}
