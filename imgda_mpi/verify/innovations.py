"""Innovations of analyses in time: observation minus background and minus analysis, beside the errors that were used.

Of every analysis there are sums over the cells of regions, and of all analyses of a period statistics of these sums:
whoever made the sums, they are added in the order of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.numerics.problem import ErrorSd

SUMS = (
    *("cells", "b", "a", "i", "b2", "a2", "i2", "ib", "ab", "pb"),
    *("used", "used_b2", "background2", "observation2", "chi2"),
    *("expected", "expected_a2", "found_a2"),
    *("spread", "spread2", "spread_total2", "spread_b2"),
    *("pairs", "before", "now", "before2", "now2", "product"),
)
"""Sums over cells: numbers of cells, and O-B (b), O-A (a), A-B (i), the increment before bounds (p) and products."""

STATISTICS = {
    "mean_ob": ("mean of observation minus background", "m3 m-3"),
    "sd_ob": ("standard deviation of observation minus background", "m3 m-3"),
    "mean_oa": ("mean of observation minus analysis", "m3 m-3"),
    "sd_oa": ("standard deviation of observation minus analysis", "m3 m-3"),
    "chi2": ("mean of (O-B)^2 / (s_b^2 + s_o^2) with the errors that were used: 1 expected", "1"),
    "background_error_used": ("standard deviation of background errors that was used", "m3 m-3"),
    "background_error": ("root of <(A-B)(O-B)> without means (Desroziers et al. 2005)", "m3 m-3"),
    "observation_error_used": ("standard deviation of observation errors that was used", "m3 m-3"),
    "observation_error": ("root of <(O-A)(O-B)> without means (Desroziers et al. 2005)", "m3 m-3"),
    "lag_correlation": ("correlation of O-B in a cell with that of the analysis before, all cells together", "1"),
    "spread": ("standard deviation over members of the model", "m3 m-3"),
    "ob_by_spread": ("root of spread^2 + s_o^2, which the root mean square of O-B should be", "m3 m-3"),
    "rms_ob_spread": ("root mean square of O-B where there is a spread", "m3 m-3"),
    "oa_expected": ("root of s_o^2 - s_a^2, which the root mean square of O-A should be", "m3 m-3"),
    "rms_oa_expected": ("root mean square of O-A where that is known", "m3 m-3"),
    "applied": ("part of the increment that bounds and frozen ground let through, weighted with O-B", "1"),
}
"""Of a region and a period, with meaning and unit."""

MIN_PAIRS = 3
"""Of analyses, for a correlation in time: two points always lie on a line."""


@dataclass(frozen=True, eq=False)
class Images:
    """What one analysis saw and did, (ny, nx) m3 m-3, NaN where there is nothing.

    Parameters
    ----------
    innovation : O-B
    increment : A-B
    proposed : increment before bounds and frozen ground
    spread : of members before the analysis; None without any
    """

    innovation: FloatArray
    increment: FloatArray
    proposed: FloatArray
    spread: FloatArray | None = None

    @property
    def seen(self) -> BoolArray:
        """Observed cells that could be corrected."""
        return np.isfinite(self.innovation) & np.isfinite(self.increment)


@dataclass(frozen=True, eq=False)
class ErrorsUsed:
    """Standard deviations of errors that an analysis worked with, numbers or (ny, nx), m3 m-3; None if not known.

    Parameters
    ----------
    background, observation : s_b and s_o; s_o with the coherent part
    analysis : s_a, as the method expects it; unless given that of each cell alone,
        s_b^2 s_o^2 / (s_b^2 + s_o^2)
    """

    background: ErrorSd | None = None
    observation: ErrorSd | None = None
    analysis: ErrorSd | None = None


def region_sums(
    images: Images, errors: ErrorsUsed, regions: Mapping[str, BoolArray], before: FloatArray | None = None
) -> FloatArray:
    """Sums of one analysis over the observed cells of regions.

    Parameters
    ----------
    images, errors
    regions : cells by name, each (ny, nx)
    before : O-B of the analysis before, (ny, nx); None where there is none that follows closely

    Returns
    -------
    (n_sums, n_regions), in the order of `SUMS`; 0 where nothing is known
    """
    seen = images.seen
    cells = _of_cells(images, errors, seen, before)
    sums = np.zeros((len(SUMS), len(regions)))
    for number, region in enumerate(regions.values()):
        inside = region[seen]
        for place, name in enumerate(SUMS):
            if name in cells:
                sums[place, number] = np.sum(cells[name][inside])
    return sums


def _of_cells(images: Images, errors: ErrorsUsed, seen: BoolArray, before: FloatArray | None) -> dict[str, FloatArray]:
    """What is summed up, of each observed cell."""
    b, i, p = (image[seen] for image in (images.innovation, images.increment, images.proposed))
    a, one = b - i, np.ones(b.size)
    found = {"cells": one, "b": b, "a": a, "i": i, "b2": b * b, "a2": a * a, "i2": i * i}
    found |= {"ib": i * b, "ab": a * b, "pb": p * b}
    s_b2, s_o2, s_a2 = (_squared(sd, seen) for sd in (errors.background, errors.observation, errors.analysis))
    if s_b2 is not None and s_o2 is not None:
        total = s_b2 + s_o2
        found |= {"used": one, "used_b2": b * b, "background2": s_b2, "observation2": s_o2, "chi2": b * b / total}
        s_a2 = s_b2 * s_o2 / total if s_a2 is None else s_a2
    if s_o2 is not None and s_a2 is not None:
        found |= {"expected": one, "expected_a2": np.maximum(s_o2 - s_a2, 0.0), "found_a2": a * a}
    if images.spread is not None and s_o2 is not None:
        spread2 = np.square(images.spread[seen])
        found |= {"spread": one, "spread2": spread2, "spread_total2": spread2 + s_o2, "spread_b2": b * b}
    if before is not None:
        former = before[seen]
        x, y = (np.where(np.isfinite(former), values, 0.0) for values in (former, b))
        found |= {"pairs": np.isfinite(former) * 1.0, "before": x, "now": y}
        found |= {"before2": x * x, "now2": y * y, "product": x * y}
    return found


def _squared(sd: ErrorSd | None, seen: BoolArray) -> FloatArray | None:
    return None if sd is None else np.square(np.broadcast_to(np.asarray(sd, np.float64), seen.shape)[seen])


def statistics(sums: FloatArray) -> dict[str, FloatArray]:
    """`STATISTICS` of sums (..., n_sums, n_regions), each (..., n_regions); NaN where there is nothing to say.

    Notes
    -----
    Means <> are over all cells and analyses together. Desroziers et al. (2005), Q. J. R. Meteorol. Soc. 131, 3385:
    s_b^2 = <(A-B)(O-B)> and s_o^2 = <(O-A)(O-B)> for errors without bias, so the mean of each factor over region and
    period is taken off first; what stands still as a pattern within the region stays. chi2 has the bias. Where
    analyses are optimal, <(O-A)^2> = s_o^2 - s_a^2: O-A is smaller than s_o since the analysis has drawn to the
    observation.
    """
    s = {name: sums[..., place, :] for place, name in enumerate(SUMS)}

    def mean(name: str, of: str = "cells") -> FloatArray:
        return ratio(s[name], s[of])

    def covariance(product: str, one: str, other: str, of: str = "cells") -> FloatArray:
        return mean(product, of) - mean(one, of) * mean(other, of)

    variances = covariance("before2", "before", "before", "pairs"), covariance("now2", "now", "now", "pairs")
    with np.errstate(divide="ignore", invalid="ignore"):
        lag = covariance("product", "before", "now", "pairs") / np.sqrt(variances[0] * variances[1])
    return {
        "mean_ob": mean("b"),
        "sd_ob": root(covariance("b2", "b", "b")),
        "mean_oa": mean("a"),
        "sd_oa": root(covariance("a2", "a", "a")),
        "chi2": mean("chi2", "used"),
        "background_error_used": root(mean("background2", "used")),
        "background_error": root(covariance("ib", "i", "b")),
        "observation_error_used": root(mean("observation2", "used")),
        "observation_error": root(covariance("ab", "a", "b")),
        "lag_correlation": np.where(np.isfinite(lag), lag, np.nan),
        "spread": root(mean("spread2", "spread")),
        "ob_by_spread": root(mean("spread_total2", "spread")),
        "rms_ob_spread": root(mean("spread_b2", "spread")),
        "oa_expected": root(mean("expected_a2", "expected")),
        "rms_oa_expected": root(mean("found_a2", "expected")),
        "applied": ratio(s["ib"], s["pb"]),
    }


def ratio(sums: FloatArray, of: FloatArray) -> FloatArray:
    """Sums over others, (...); NaN where these are not above 0."""
    found: FloatArray = np.divide(sums, of, out=np.full(sums.shape, np.nan), where=of > 0)
    return found


def root(variance: FloatArray) -> FloatArray:
    """Square root; NaN of what is below 0."""
    return np.asarray(np.sqrt(np.where(variance >= 0, variance, np.nan)), np.float64)


def standard_errors(sums: FloatArray) -> dict[str, FloatArray]:
    """Standard errors of `statistics` of sums (n, n_sums, n_regions) of n analyses, each (n_regions,).

    By leaving out one analysis after the other (jackknife), as if analyses were independent: where `lag_correlation`
    is r they are too small, by about sqrt((1 + r) / (1 - r)). NaN of fewer than two analyses.
    """
    n = len(sums)
    if n < 2:
        return {name: np.full(sums.shape[-1], np.nan) for name in STATISTICS}
    left_out = statistics(sums.sum(axis=0) - sums)
    return {
        name: np.sqrt((n - 1) / n * np.square(values - values.mean(axis=0)).sum(axis=0))
        for name, values in left_out.items()
    }


def lag_of_means(means: FloatArray, follows: BoolArray) -> FloatArray:
    """Correlation of the means of O-B over regions, (n, n_regions), with those of the analysis before, (n_regions,).

    ``follows`` (n,) says which analyses closely follow the one before. NaN of fewer than `MIN_PAIRS` pairs.
    """
    found = np.full(means.shape[1], np.nan)
    later = np.flatnonzero(follows)
    for number, series in enumerate(means.T):
        x, y = series[later - 1], series[later]
        both = np.isfinite(x) & np.isfinite(y)
        x, y = x[both], y[both]
        if x.size >= MIN_PAIRS and np.ptp(x) > 0 and np.ptp(y) > 0:
            found[number] = float(np.corrcoef(x, y)[0, 1])
    return found


@dataclass(frozen=True, eq=False)
class RunInnovations:
    """Innovations of one run.

    Parameters
    ----------
    name, method : of the run, and how it assimilates, empty where it does not
    times : of its analyses, (n,) s since 1970
    regions, periods : names
    n_cells : observed, (n, n_regions)
    series : `STATISTICS` of each analysis, (n, n_regions)
    n_analyses : with an observed cell, (n_periods, n_regions)
    n_values : observed cells of all analyses, (n_periods, n_regions)
    n_pairs : of consecutive analyses, (n_periods, n_regions)
    values, errors : `STATISTICS` of periods and their `standard_errors`, (n_periods, n_regions)
    lag_of_mean : see `lag_of_means`, (n_periods, n_regions)
    own_chi2 : the mean of what the method itself says, with its whole covariance, (n_periods,); NaN of most methods
    scales : statistics by scale, see `imgda_mpi.verify.innovation_scales`, (n_periods, n_scales)
    shortest_waves : of each scale, (n_scales,) m
    hours : between consecutive analyses; NaN of fewer than two
    n_passed : moments of an analysis, from the first to the last, without one
    gain : "one" where all cells have the same; "fitted" where it is taken from the innovations; "none" where nothing
        is corrected; "whole" where the observation replaces the background; else empty
    remarks : what is to be said beside
    """

    name: str
    method: str
    times: FloatArray
    regions: Sequence[str]
    periods: Sequence[str]
    n_cells: FloatArray
    series: Mapping[str, FloatArray]
    n_analyses: FloatArray
    n_values: FloatArray
    n_pairs: FloatArray
    values: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]
    lag_of_mean: FloatArray
    own_chi2: FloatArray
    scales: Mapping[str, FloatArray]
    shortest_waves: FloatArray
    hours: float
    n_passed: int
    gain: str
    remarks: Sequence[str] = ()
