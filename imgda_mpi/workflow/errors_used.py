"""The errors that a saved analysis worked with, as far as its file tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import InputError
from imgda_mpi.numerics.problem import ErrorSd
from imgda_mpi.observations.deviations import read_deviation
from imgda_mpi.results.analysis_file import SavedInnovation
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.verify.innovation_scales import InnovationScales, has_errors_everywhere
from imgda_mpi.verify.innovations import ErrorsUsed

WHITE = ("pointwise", "paper", "analytic")
"""Methods that are told both errors, and take them for white."""

FITTED = ("innovation", "hybrid", "pointwise_fitted")
"""Methods that take their background errors from the innovation itself."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the errors that one analysis used.

    Parameters
    ----------
    errors : of cells
    scales : variances of background and observation that scales carry, (n_scales,) each; None if not known
    remark : why something is not known; empty where all is
    """

    errors: ErrorsUsed
    scales: tuple[FloatArray, FloatArray] | None
    remark: str = ""


def gain_of(settings: Mapping[str, Any]) -> str:
    """What kind of gain the settings of an analysis make, see `imgda_mpi.verify.innovations.RunInnovations`."""
    kind = settings["method"]["kind"]
    numbers = [settings["method"].get("background_error"), settings["errors"]["observation"]]
    if kind in WHITE and not any(isinstance(number, dict) for number in numbers):
        return "one"
    if kind in FITTED or settings["method"].get("inflation") == "innovation":
        return "fitted"
    return {"none": "none", "insert": "whole"}.get(kind, "")


def method_label(settings: Mapping[str, Any]) -> str:
    """The method of the settings of an analysis, with its solver where that is not the only one."""
    method = settings["method"]
    has_choice = "solver" in method and method["kind"] not in WHITE
    return f"{method['kind']}/{method['solver']}" if has_choice else str(method["kind"])


def errors_used(saved: SavedInnovation, of_scales: InnovationScales) -> Known:
    """What the file of an analysis says of its errors. Not collective.

    - prescribed white errors (pointwise, paper, analytic): the settings', numbers or fields that are read again;
    - letkf: the spread of its members, and the settings' observation errors;
    - the full solver: its facts, of the whole image;
    - the diagonal solver with other errors: the sum of what its wedges have.

    Observation errors that an analysis has settled itself are in its facts, and go before those of the settings.
    """
    method, facts = saved.settings["method"], saved.facts
    kind, solver = method["kind"], method.get("solver")
    scales = None
    if saved.wedges is not None:
        scales = of_scales.used(saved.wedges, saved.images.seen, everywhere=has_errors_everywhere(method))
    if kind in (*WHITE, "letkf"):
        try:
            return Known(_prescribed(saved), scales)
        except InputError as err:
            return Known(ErrorsUsed(), scales, f"the errors used are not known: {err}")
    if solver == "full" and "observation_error" in facts:
        names = "expected_error_background_observed", "observation_error", "expected_error_analysis_observed"
        background, observation, analysis = (facts.get(name, np.nan) for name in names)
        known = ErrorsUsed(*(None if np.isnan(sd) else sd for sd in (background, observation, analysis)))
        return Known(known, scales, "the analyses do not say their s_b" if known.background is None else "")
    if scales is not None:
        of_background, of_observation = scales
        return Known(ErrorsUsed(float(np.sqrt(of_background.sum())), float(np.sqrt(of_observation.sum()))), scales)
    return Known(ErrorsUsed(), scales, f"method {kind} has no s_b and s_o of cells to hold innovations against")


def _prescribed(saved: SavedInnovation) -> ErrorsUsed:
    """Errors that the settings state, or the members."""
    observation: ErrorSd | None = saved.facts.get("white_observation_error")
    if observation is None:
        observation = _standard_deviation(saved.settings["errors"]["observation"], saved)
    if saved.settings["method"]["kind"] == "letkf":
        return ErrorsUsed(saved.images.spread, observation)
    return ErrorsUsed(_standard_deviation(saved.settings["method"]["background_error"], saved), observation)


def _standard_deviation(wanted: Any, saved: SavedInnovation) -> ErrorSd:
    if not isinstance(wanted, dict):
        return float(wanted)
    observation = saved.settings.get("observation") or {}
    how = {name: observation[name] for name in ("layer", "regridding") if name in observation}
    offset, field = observation.get("max_time_offset", 3.0), FieldFile.model_validate(wanted)
    deviation = read_deviation(field, saved.grid, saved.time, MPI.COMM_SELF, offset, **how)
    return deviation.on(saved.images.seen)
