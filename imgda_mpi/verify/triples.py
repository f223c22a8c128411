"""Errors of three products from what their images have in common, scale by scale: summed up over times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.covariances.noise import SMALLEST, estimated_white_part, powers_of_finest_modes
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid, embed
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.triple_collocation import (
    Moments,
    amplitudes,
    block_size,
    blocks_of,
    coherent_share,
    error_powers,
    joined,
    moments,
    resampled,
)
from imgda_mpi.parallel.failure import same_fate

PRODUCTS = ("background", "observation", "third")
FEWEST_CELLS = 100
"""Common cells, of all times: of fewer independent values a variance has a standard error of more than a seventh."""

SAME = 1e-6  # m3 m-3: two images that differ by less are one
SEED = 0  # of the intervals


@dataclass(frozen=True, eq=False)
class TripleErrors:
    """What three products say of their errors.

    Parameters
    ----------
    n_times, n_cells : that all three have values at and in; cells of all times
    modes : independent numbers that each scale has for them, (n_scales,)
    sd_of_scales : root mean square error of each product that a scale carries, (n_scales, 3) m3 m-3
    shares_of_scales : of the observation in the coherent errors of background and observation, (n_scales,); NaN where
        neither has one
    amplitudes : of the truth in each product, that of the background being 1, (3,); None where they are taken for alike
    sd : of the errors of each product, (3,) m3 m-3
    white : standard deviation of the observation's white errors, m3 m-3
    white_is_seen : whether the finest scales tell it; otherwise it is all that the finest has
    share : of the observation in the coherent errors, all scales together
    intervals : of 95 %, of the three ``sd`` and the ``share``, (4, 2); None where there are too few blocks
    n_blocks, block : that are drawn for the intervals, and their latitude and longitude, degrees
    """

    n_times: int
    n_cells: int
    modes: FloatArray
    sd_of_scales: FloatArray
    shares_of_scales: FloatArray
    amplitudes: FloatArray | None
    sd: FloatArray
    white: float
    white_is_seen: bool
    share: float
    intervals: FloatArray | None
    n_blocks: int
    block: tuple[float, float]

    @property
    def advised_share(self) -> float:
        """The share for an analysis: the upper end of its interval, as one too high costs less than one too low."""
        return self.share if self.intervals is None else float(self.intervals[3, 1])


class Triples:
    """Sums over images of three products at some times. Making one is collective over ``comm``, and so is `add`.

    Parameters
    ----------
    grid : of the images
    transform : of the array that they are embedded in
    """

    def __init__(self, grid: Grid, transform: CurveletTransform, comm: MPI.Intracomm) -> None:
        self._grid, self._comm, self._powers = grid, comm, WedgePowers(transform, comm)
        n_scales = transform.geometry.n_scales
        self._covariances, self._finest = np.zeros((n_scales, 3, 3)), np.zeros(3)
        self._n_cells, self._moments = 0, list[Moments]()

    def add(self, images: FloatArray) -> None:
        """Images (3, ny, nx) of background, observation and third product, m3 m-3, NaN where missing. Collective.

        They count where all three have values, as anomalies about their means there.

        Raises
        ------
        InputError
            On every rank, where two of the images are the same.
        """
        cells: BoolArray = np.asarray(np.isfinite(images).all(axis=0))
        n_cells = int(np.count_nonzero(cells))
        if n_cells == 0:
            return
        with same_fate(self._comm):
            _check_different(images, cells)
        means = images[:, cells].mean(axis=1)
        anomalies = np.where(cells, images - means[:, None, None], 0.0)
        self._moments.append(moments(anomalies, cells, blocks_of(self._grid), len(self._moments)))
        shape, own = self._powers.transform.layout.image_shape, self._powers.image_rows.own
        embedded = [embed(image, shape) for image in anomalies]
        for a in range(3):
            for b in range(a + 1):
                of_wedges = self._powers.of(embedded[a][own], None if a == b else embedded[b][own])
                self._covariances[:, a, b] += self._by_scale(of_wedges)
                self._covariances[:, b, a] = self._covariances[:, a, b]
        innovation = Observations(embedded[1] - embedded[0], embed(cells, shape), 1.0)
        self._finest += n_cells * powers_of_finest_modes(innovation, self._powers, self._comm)
        self._n_cells += n_cells

    def errors(self) -> TripleErrors:
        """What they say of the errors. Not collective.

        Raises
        ------
        InputError
            Where they have too few cells in common, or no errors that are coherent.
        """
        n_cells = self._n_cells
        if n_cells < FEWEST_CELLS:
            do = "give products that cover the same land at the same times, or more times"
            expected = f"at least {FEWEST_CELLS}"
            raise fault("three products", found=f"{n_cells} cells that all have", expected=expected, do=do)
        modes = n_cells * self._by_scale(self._powers.norms)
        blocks = joined(self._moments)
        # The wedges of all scales have together what the cells have.
        covariances, _ = blocks.covariances(np.ones(blocks.counts.size))
        seen_by = amplitudes(covariances)
        total, of_scales = error_powers(covariances, seen_by), error_powers(self._covariances, seen_by)
        finest, of_observation = self._finest / n_cells, np.full(3, np.nan)
        of_observation[-min(modes.size, 3) :] = of_scales[-3:, 1] / modes[-3:]
        # White noise is in the quieter positions, too, and in what the observation has for itself.
        estimates = [estimated_white_part(powers) for powers in (finest, of_observation)]
        white = max(float(np.nanmin([*estimates, finest[-1], of_observation[-1]])), SMALLEST**2)
        share = float(coherent_share(total, np.asarray(white * n_cells)))
        if np.isnan(share):
            raise fault(
                "three products",
                found="no coherent errors in background and observation",
                expected="some",
                do="give products that do not hold one another: this is what they look like where each is made of the "
                "others",
            )
        return TripleErrors(
            n_times=len(self._moments),
            n_cells=n_cells,
            modes=modes,
            sd_of_scales=np.sqrt(of_scales / n_cells),
            shares_of_scales=coherent_share(of_scales, white * modes),
            amplitudes=None if seen_by is None else seen_by / seen_by[0],
            sd=np.sqrt(total / n_cells),
            white=float(np.sqrt(white)),
            white_is_seen=not np.isnan(estimates).all(),
            share=share,
            intervals=resampled(blocks, white, SEED),
            n_blocks=blocks.counts.size,
            block=block_size(self._grid),
        )

    def _by_scale(self, of_wedges: FloatArray) -> FloatArray:
        """Sums over the wedges of each scale, (n_scales,)."""
        return np.bincount(self._powers.scale - 1, of_wedges, self._covariances.shape[0]).astype(np.float64)


def _check_different(images: FloatArray, cells: BoolArray) -> None:
    """Refuse two images that are the same in all common cells, of which there are several."""
    for a in range(3):
        for b in range(a):
            apart = float(np.abs(images[a] - images[b])[cells].max())
            if apart < SAME and np.count_nonzero(cells) > 1:
                raise fault(
                    f"{PRODUCTS[b]} and {PRODUCTS[a]}",
                    found="the same image twice",
                    expected="three products",
                    do="give another file or variable",
                )
