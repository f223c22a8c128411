"""Innovations of analyses told apart by curvelet scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers, scale_filter
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.grid import embed
from imgda_mpi.verify.innovations import Images, ratio, root

SUMS = ("cells", "b2", "ib", "ab", "used", "used_b2", "background2", "observation2")
"""Of a scale, as of `imgda_mpi.verify.innovations.SUMS`."""

STATISTICS = {
    "scale_sd_ob": ("standard deviation of observation minus background that a scale carries", "m3 m-3"),
    "scale_chi2": ("power of O-B that a scale carries over that of the errors that were used: 1 expected", "1"),
    "scale_background_error_used": ("background error of a scale that was used", "m3 m-3"),
    "scale_background_error": ("root of <(A-B)(O-B)> that a scale carries (Desroziers et al. 2005)", "m3 m-3"),
    "scale_observation_error_used": ("observation error of a scale that was used", "m3 m-3"),
    "scale_observation_error": ("root of <(O-A)(O-B)> that a scale carries (Desroziers et al. 2005)", "m3 m-3"),
}
"""Of a scale and a period, with meaning and unit."""


def has_errors_everywhere(method: Mapping[str, Any]) -> bool:
    """Whether variances of wedges are as if all of the transform's array was observed; by a method's settings."""
    return method.get("solver") == "full" or method["kind"] == "paper"


class InnovationScales:
    """Sums of analyses on one grid by the scales of a transform. Not collective.

    Parameters
    ----------
    transform : of arrays that the images are embedded in; where analyses used one the same
    """

    def __init__(self, transform: CurveletTransform) -> None:
        self._powers = WedgePowers(transform, MPI.COMM_SELF)
        self._layout = transform.layout
        self._wedges = np.array([wedge.number for wedge in self._layout.wedges])
        self._sizes = np.array([wedge.stop - wedge.start for wedge in self._layout.wedges])
        self.n_scales = int(self._powers.scale.max())
        self._filters = [scale_filter(transform, [scale]) for scale in range(1, self.n_scales + 1)]
        self._kernels = [_filtered(factors, self._layout.image_shape) for factors in self._filters]

    def sums(self, images: Images, used: tuple[FloatArray, FloatArray] | None) -> FloatArray:
        """Sums of one analysis, (n_sums, n_scales) in the order of `SUMS`.

        From O-B and A-B the mean of this analysis over its observed cells is taken off, and other cells hold 0. Sums
        over all scales are those over the cells.

        Parameters
        ----------
        images
        used : variances of background and observation that scales carry, of a cell, (n_scales,) each
        """
        seen = images.seen
        n = float(np.count_nonzero(seen))
        sums = np.zeros((len(SUMS), self.n_scales))
        if n == 0:
            return sums
        pairs = (self._powers.coefficients(self._anomalies(one, seen)) for one in (images.innovation, images.increment))
        for (_, wedge, b), (_, _, i) in zip(*pairs, strict=True):
            b, i = b.astype(np.float64), i.astype(np.float64)
            products = np.array([np.sum(c * b) for c in (b, i, b - i)])
            sums[1:4, wedge.scale - 1] += products * (1 if wedge.is_real else 2)
        sums[0] = n
        if used is not None:
            sums[4], sums[5], sums[6], sums[7] = n, sums[1], n * used[0], n * used[1]
        return sums

    def used(
        self, wedges: WedgeStatistics, seen: BoolArray, *, everywhere: bool
    ) -> tuple[FloatArray, FloatArray] | None:
        """Variances B and R of a cell that scales carry, (n_scales,) each; None where the wedges do not tell.

        ``everywhere`` says that B and R of the wedges are as if all of the transform's array was observed, and of
        these what scales hold of the cells that were, (ny, nx), follows: coasts and gaps move it from scale to scale.
        Else they are of these cells already.
        """
        names, n_observed = ("background_variance_mean", "observation_variance_mean"), int(np.count_nonzero(seen))
        if n_observed == 0 or any(name not in wedges.values for name in names):
            return None
        if not (np.array_equal(wedges.scale, self._powers.scale) and np.array_equal(wedges.wedge, self._wedges)):
            return None
        powers = [wedges.values[name] * self._sizes for name in names]
        if everywhere:
            n_cells = int(np.prod(self._layout.image_shape))
            background, observation = self._of_cells([power / (self._powers.norms * n_cells) for power in powers], seen)
        else:
            background, observation = (self._by_scale(power) / n_observed for power in powers)
        return background, observation

    def _of_cells(self, variances: Sequence[FloatArray], seen: BoolArray) -> tuple[FloatArray, ...]:
        """Expected power that scales hold, of a cell, of errors on some cells less their mean there, (n_scales,) each.

        The errors x have the covariance C^T diag(variances) C of the transform C, a filter with the kernel c. A scale
        holds the power <x', G x'> of an image x', G being a filter too, with the kernel g. With m, 1 on the cells and
        0 elsewhere, x' is m (x - <m, x> / n), and the expectation is exact: sum(r c g) of the autocorrelation r of m,
        less what the mean takes.
        """
        shape = self._layout.image_shape
        cells = embed(seen.astype(np.float64), shape)
        spectrum, n = np.fft.rfft2(cells), cells.sum()
        together = _filtered(np.abs(spectrum) ** 2, shape)
        of_ones = [_filtered(factors * spectrum, shape) for factors in self._filters]
        ones = [np.sum(cells * one) for one in of_ones]

        def expected(of_wedges: FloatArray) -> FloatArray:
            covariance = self._powers.transform.filter_of(of_wedges)
            pairs, spread = together * _filtered(covariance, shape), cells * _filtered(covariance * spectrum, shape)
            total, found = spread.sum(), np.zeros(self.n_scales)
            for number, kernel in enumerate(self._kernels):
                of_mean = total * ones[number] / n**2 - 2 * np.sum(spread * of_ones[number]) / n
                found[number] = (np.sum(pairs * kernel) + of_mean) / n
            return np.maximum(found, 0.0)

        return tuple(map(expected, variances))

    def _by_scale(self, of_wedges: FloatArray) -> FloatArray:
        return np.array([of_wedges[self._powers.scale == one].sum() for one in range(1, self.n_scales + 1)])

    def _anomalies(self, image: FloatArray, seen: BoolArray) -> FloatArray:
        anomalies = np.where(seen, image - image[seen].mean(), 0.0)
        return embed(np.asarray(anomalies, np.float64), self._layout.image_shape)


def _filtered(spectrum: npt.NDArray[np.complex128] | FloatArray, shape: tuple[int, int]) -> FloatArray:
    return np.asarray(np.fft.irfft2(spectrum, s=shape), np.float64)


def scale_statistics(sums: FloatArray) -> dict[str, FloatArray]:
    """`STATISTICS` of sums (n_sums, n_scales), each (n_scales,); NaN where there is nothing to say."""
    s = dict(zip(SUMS, sums, strict=True))

    def mean(name: str, of: str = "cells") -> FloatArray:
        return ratio(s[name], s[of])

    return {
        "scale_sd_ob": root(mean("b2")),
        "scale_chi2": ratio(s["used_b2"], s["background2"] + s["observation2"]),
        "scale_background_error_used": root(mean("background2", "used")),
        "scale_background_error": root(mean("ib")),
        "scale_observation_error_used": root(mean("observation2", "used")),
        "scale_observation_error": root(mean("ab")),
    }
