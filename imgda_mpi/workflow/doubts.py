"""What is doubtful of an analysis, one line each, with what to do about it."""

from __future__ import annotations

import numpy as np

from imgda_mpi.colm.ledger import WaterLedger
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.methods.method import Increment
from imgda_mpi.numerics.problem import Observations

OFF = 2.0  # factor between two standard deviations that are to be the same
SPREAD = 2.0  # factor between two variances of members that are to be the same
BIASED = 2.0  # expected errors of a mean
COHERENT = 3.0  # times the power that the other scales let expect
REFUSED = 0.1  # of the water of an increment


def doubts(
    increment: Increment, innovation: Observations, ledger: WaterLedger, inflation: float | str | None = None
) -> list[str]:
    """What is doubtful of an analysis. Not collective: on rank 0, which has the statistics of wedges and the ledger.

    ``inflation`` is the factor of the members' variance of the settings, None for methods that know none.
    """
    facts = {name: fact.value for name, fact in increment.facts.items()}
    if not innovation.observed.any():
        return []
    return [
        *_of_observation_errors(facts, float(np.sqrt(innovation.noise_power / np.count_nonzero(innovation.observed)))),
        *_of_consistency(facts),
        *([] if inflation is None or isinstance(inflation, str) else _of_inflation(facts, inflation)),
        *_of_scales(increment.wedges),
        *_of_bounds(ledger),
    ]


def _of_observation_errors(facts: dict[str, float], prescribed: float) -> list[str]:
    """Where the innovation says of them something else than the settings."""
    estimate, used = facts.get("estimated_observation_error"), facts.get("white_observation_error", prescribed)
    if estimate is not None and np.isnan(estimate):
        return [
            f"the white observation errors cannot be estimated: the innovation is too smooth at its finest scales, or "
            f"too little of it is seen; {used:.3f} m3 m-3 is used, from [errors] observation = {prescribed:.3f}: set "
            "that to what you know of the product"
        ]
    if estimate is not None and not 1 / OFF <= estimate / prescribed <= OFF:
        return [
            f"the innovation's finest scales say {estimate:.3f} m3 m-3 for the white observation errors, [errors] "
            f"observation says {prescribed:.3f}: the estimate is used"
        ]
    if estimate is None and used < prescribed / OFF:
        return [
            f"the innovation has {facts['finest_innovation']:.3f} m3 m-3 at its finest scale, where white errors of "
            f"[errors] observation = {prescribed:.3f} alone would have more: {used:.3f} is used for the white part; "
            "set [errors] observation to what is white, and coherent_share to the observation's share of the rest"
        ]
    return []


def _of_consistency(facts: dict[str, float]) -> list[str]:
    """Where the innovation is not as large as B and R say."""
    said = []
    mean, expected = facts.get("innovation_mean", 0.0), facts.get("innovation_mean_expected", np.inf)
    if abs(mean) > BIASED * expected:
        said.append(
            f"the mean of observation minus background is {mean:+.3f} m3 m-3, expected within {expected:.3f}: one of "
            "them is biased, and the analysis moves towards the observation's level; bring the observation to the "
            "model's climate before"
        )
    chi2 = facts.get("chi2", 1.0)
    if not 1 / OFF**2 <= chi2 <= OFF**2:
        said.append(
            f"the innovation has {chi2:.2f} of the power that background and observation errors let expect: expected "
            "errors are wrong by the root of that; correct [errors] observation or, where there are members, their "
            "inflation"
        )
    by_oma, errors = facts.get("observation_error_by_analysis", 1.0), facts.get("observation_error", 1.0)
    if not 1 / OFF <= by_oma / errors <= OFF:
        said.append(
            f"observation errors of {errors:.3f} m3 m-3 were assumed, observation minus analysis says {by_oma:.3f}: "
            "correct [errors] observation or, where there are members, their inflation"
        )
    return said


def _of_inflation(facts: dict[str, float], inflation: float) -> list[str]:
    """Where the innovation asks for another variance of the members than the settings."""
    asked = facts.get("inflation_by_innovation", np.nan)
    error = facts.get("inflation_by_innovation_standard_error", np.nan)
    if np.isnan(asked) or 1 / SPREAD <= asked / inflation <= SPREAD or abs(asked - inflation) <= BIASED * error:
        return []
    differ = "too little" if asked > inflation else "too much"
    return [
        f"the innovation asks for {asked:.2f}+-{error:.2f} times the members' variance, [method] inflation = "
        f'{inflation:g}: the members differ {differ}; set inflation = "innovation" or a number, or correct [errors] '
        "observation"
    ]


def _of_scales(wedges: WedgeStatistics | None) -> list[str]:
    """Where the coarsest scale holds more than B and R let expect, beside all scales."""
    if wedges is None or not {"background_variance_mean", "observation_variance_mean"} <= set(wedges.values):
        return []
    power = wedges.values["innovation_power_mean"]
    expected = wedges.values["background_variance_mean"] + wedges.values["observation_variance_mean"]
    coarsest, present = wedges.scale == 1, expected > 0
    if not present[coarsest].all():
        return []
    ratio = np.divide(power, expected, out=np.zeros_like(power), where=present)
    typical = float(np.median(ratio[present]))
    if not ratio[coarsest].mean() > COHERENT * typical > 0:
        return []
    return [
        f"the coarsest scale of the innovation has {ratio[coarsest].mean() / typical:.0f} times the power that B and R "
        "let expect from the other scales: errors are coherent, and not white; method innovation/full knows of that"
    ]


def _of_bounds(ledger: WaterLedger) -> list[str]:
    """Where much of the increments went beyond what soil can hold."""
    soil = ledger.patches.is_soil
    requested, clamped = (np.abs(ledger.term(name)[soil]).sum() for name in ("requested", "clamped"))
    if not clamped > REFUSED * requested:
        return []
    return [
        f"{100 * clamped / requested:.0f} % of the water of the increments was refused by residual water and porosity: "
        "the observation's level is not the model's, or its noise went into the soil; see bounds in the diagnostics"
    ]
