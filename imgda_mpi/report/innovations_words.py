"""What the innovations of a run mean, in plain sentences, from numbers with stated thresholds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from imgda_mpi.verify.innovations import MIN_PAIRS, RunInnovations

CHI2_LIMITS = (0.8, 1.25)
"""Between which innovations are as large as the errors used say: standard deviations within a tenth."""

ERROR_LIMITS = (0.8, 1.25)
"""Of an error that innovations say over the one used, between which they agree."""

SURE = 2.0
"""Standard errors that a number must be beyond a limit; else the sentence says that it is not sure."""

LAG = 0.2
"""Correlation of O-B with that of the analysis before from which on innovations are not independent."""

BIAS = 0.25
"""Of the standard deviation of O-B, from which on its mean counts."""

SIZE_LIMITS = (0.9, 1.1)
"""Of a root mean square over the one to be expected."""

APPLIED = 0.9
"""Part of the increment that must have reached the soil for Desroziers' estimates to mean something."""

SCALE_LIMITS = (0.5, 2.0)
"""Of chi2 of a scale, outside which it is named."""

FIRST = 2.0
"""Root mean square of O-B of the first analysis over that of the others, from which on it is named."""

ALL = 0  # number of the region that has all cells

FEW = 10
"""Analyses, below which numbers are rough."""


class _Number(NamedTuple):
    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f}" + (f" +- {self.error:.2f}" if np.isfinite(self.error) else "")

    def is_beyond(self, low: float, high: float) -> int:
        """-1 below the lower limit, 1 above the higher one, with the certainty asked for; else 0."""
        margin = SURE * (self.error if np.isfinite(self.error) else 0.0)
        return 1 if self.value - margin > high else -1 if self.value + margin < low else 0


def sentences(run: RunInnovations, period: int) -> list[str]:
    """What innovations of a run over all cells mean in a period, by its number; nothing where there is none."""
    n_analyses = int(run.n_analyses[period, ALL])
    if n_analyses == 0:
        return []
    at = {
        name: _Number(float(values[period, ALL]), float(run.errors[name][period, ALL]))
        for name, values in run.values.items()
    }
    said = _of_size(run, at, float(run.own_chi2[period])) + _of_errors(run, at)
    said += _of_time(run, at["lag_correlation"], int(run.n_pairs[period, ALL]), n_analyses)
    said += _of_bias(at) + _of_first(run, period) + _of_spread(run, at)
    said += _of_scales(run, period)
    if 1 < n_analyses < FEW:
        said.append(f"These are {n_analyses} analyses: the numbers are rough.")
    return said


def _of_size(run: RunInnovations, at: dict[str, _Number], own_chi2: float) -> list[str]:
    """Innovations beside the errors that were used."""
    chi2 = at["chi2"]
    if run.gain == "none":
        return ["Nothing is corrected: innovations are the error of the run and that of the observations together."]
    if run.gain == "whole":
        return ["The observation replaces the background: O-A is what bounds leave of it, and says nothing of errors."]
    if np.isnan(chi2.value):
        return ["The errors used are not known: how large innovations should be cannot be said."]
    own = f"; {own_chi2:.2f} by the method, with all covariances" if np.isfinite(own_chi2) else ""
    number = f"chi2 {chi2}{own}"
    beyond = chi2.is_beyond(*CHI2_LIMITS)
    if beyond == 0 and not CHI2_LIMITS[0] <= chi2.value <= CHI2_LIMITS[1]:
        return [f"Whether innovations are as large as the errors used say is not sure ({number})."]
    if beyond == 0:
        taken = " These are taken from the innovations, so it says little." if run.gain == "fitted" else ""
        return [f"Innovations are as large as the errors used say ({number}).{taken}"]
    wrong = "too small" if beyond > 0 else "too large"
    return [
        f"Innovations are {math.sqrt(chi2.value):.2g} times what the errors used say ({number}): s_b or s_o is {wrong}."
    ]


def _of_errors(run: RunInnovations, at: dict[str, _Number]) -> list[str]:
    """Desroziers' estimates beside what was used."""
    if run.gain in ("none", "whole"):
        return []
    said = []
    if at["applied"].value < APPLIED:
        part = f"{100 * at['applied'].value:.0f} % of the increment"
        said.append(f"Bounds and frozen ground let {part} through, which makes the s_b found smaller, s_o larger.")
    if run.gain == "one":
        return [
            *said,
            "All cells have one gain, so that Desroziers' s_b and s_o share chi2 out as it does: they cannot tell "
            "which of the two is wrong.",
        ]
    parts, disagrees = [], False
    for name, symbol in (("background_error", "s_b"), ("observation_error", "s_o")):
        found, used = at[name], at[f"{name}_used"].value
        if np.isnan(found.value):
            parts.append(f"no {symbol}, its square is below 0")
            continue
        if np.isnan(used):
            parts.append(f"{symbol} {found.value:.3f}")
            continue
        beyond = _Number(found.value / used, found.error / used).is_beyond(*ERROR_LIMITS) if used > 0 else 1
        disagrees |= beyond != 0
        verdict = {0: "", 1: ", which is too small", -1: ", which is too large"}[beyond]
        parts.append(f"{symbol} {found.value:.3f} against {used:.3f} used{verdict}")
    end = "" if disagrees or np.isnan(at["chi2"].value) else ": about as used"
    said.append(f"By Desroziers {'; '.join(parts)}{end}.")
    if run.gain == "fitted":
        said.append("Neither tells whose the coherent errors are, the background's or the observation's.")
    return said


def _of_time(run: RunInnovations, lag: _Number, n_pairs: int, n_analyses: int) -> list[str]:
    """O-B of consecutive analyses."""
    if n_analyses == 1:
        return ["It is one analysis: whether O-B are alike in time cannot be said."]
    if n_pairs < MIN_PAIRS or np.isnan(lag.value):
        return [f"With {n_pairs} pairs of consecutive analyses it cannot be said whether O-B are alike in time."]
    apart = f"O-B of consecutive analyses ({run.hours:g} h)"
    beyond = lag.is_beyond(-LAG, LAG)
    if beyond > 0:
        if run.gain == "none":
            return [f"{apart} correlate by {lag.value:.2f}, as they do where nothing is corrected."]
        return [
            f"{apart} correlate by {lag.value:.2f}: corrections are smaller than they should be, the model drifts back "
            "to a climate of its own, or the observation's errors are alike in time."
        ]
    if beyond < 0:
        return [
            f"{apart} correlate by {lag.value:.2f}: corrections are larger than they should be, errors of the "
            "observation go into the model."
        ]
    if abs(lag.value) > LAG:
        return [f"{apart} correlate by {lag}, which is not surely beyond {LAG:g}."]
    return [f"{apart} hardly correlate ({lag.value:.2f}): no sign of corrections that are too small or too large."]


def _of_bias(at: dict[str, _Number]) -> list[str]:
    mean, sd = at["mean_ob"], at["sd_ob"].value
    if not abs(mean.value) - SURE * np.nan_to_num(mean.error) > BIAS * sd:
        return []
    side = "wetter" if mean.value > 0 else "drier"
    return [f"Observations are {abs(mean.value):.3f} m3 m-3 {side} than the background: a bias, which nothing removes."]


def _of_first(run: RunInnovations, period: int) -> list[str]:
    """The first analysis of the run, where the period has it and it is unlike the others."""
    if run.n_analyses[period, ALL] < 3 or run.n_analyses[period, ALL] < run.n_analyses[0, ALL]:
        return []
    powers = np.square(run.series["mean_ob"][:, ALL]) + np.square(run.series["sd_ob"][:, ALL])
    first, others = math.sqrt(powers[0]), math.sqrt(np.nanmean(powers[1:]))
    if not first > FIRST * others:
        return []
    return [
        f"O-B of the first analysis is {first:.3f} (root mean square), of the others {others:.3f}: numbers "
        "of the others alone need a period that begins with the second one."
    ]


def _of_spread(run: RunInnovations, at: dict[str, _Number]) -> list[str]:
    """What innovations should be by the spread of members, and O-A by the errors of the analysis."""
    said = []
    found, wanted = at["rms_ob_spread"], at["ob_by_spread"]
    if np.isfinite(found.value) and wanted.value > 0:
        ratio = _Number(found.value / wanted.value, found.error / wanted.value)
        verdict = {0: "it fits", 1: "it is too small, or s_o is", -1: "it is too large, or s_o is"}
        said.append(
            f"Members have a spread of {at['spread'].value:.3f}, with s_o O-B should be {wanted.value:.3f} and is "
            f"{found.value:.3f}: {verdict[ratio.is_beyond(*SIZE_LIMITS)]}."
        )
    found, wanted = at["rms_oa_expected"], at["oa_expected"]
    if run.gain in ("none", "whole", "one") or not np.isfinite(found.value) or not wanted.value > 0:
        return said
    ratio = _Number(found.value / wanted.value, found.error / wanted.value)
    verdict = {0: "as expected", 1: "larger than expected", -1: "smaller than expected"}
    said.append(
        f"O-A is {found.value:.3f} (root mean square), with the error that is said of the analysis it should be "
        f"{wanted.value:.3f}: {verdict[ratio.is_beyond(*SIZE_LIMITS)]}."
    )
    return said


def _of_scales(run: RunInnovations, period: int) -> list[str]:
    """Scales at which innovations are far from what the errors used say."""
    if run.gain in ("none", "whole") or "scale_chi2" not in run.scales:
        return []
    low, high = SCALE_LIMITS
    named = [
        f"{chi2:.2g} times at scale {number} (waves from {wave / 1000:.0f} km on)"
        for number, (chi2, wave) in enumerate(zip(run.scales["scale_chi2"][period], run.shortest_waves, strict=True), 1)
        if np.isfinite(chi2) and not low <= chi2 <= high
    ]
    return [f"By scale their power is {', '.join(named)} what the errors used say."] if named else []
