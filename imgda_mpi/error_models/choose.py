"""The error model of a name."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import FloatArray
from imgda_mpi.error_models.analytic import AnalyticErrors
from imgda_mpi.error_models.innovation import InnovationErrors
from imgda_mpi.error_models.paper import PaperErrors

if TYPE_CHECKING:
    from imgda_mpi.error_models.ensemble import EnsembleErrors
    from imgda_mpi.error_models.hybrid import HybridErrors

    ErrorModel = PaperErrors | AnalyticErrors | InnovationErrors | EnsembleErrors | HybridErrors


def choose_error_model(
    name: str,
    innovation: Innovation,
    *,
    background_sd: float | FloatArray,
    n_members: int,
    seed: int,
    time: datetime,
    ensemble: EnsembleErrors | None = None,
    innovation_weight: float = 0.0,
) -> ErrorModel:
    """The error model of a name.

    Parameters
    ----------
    name : {"paper", "analytic", "innovation", "ensemble", "hybrid"}
    innovation : Innovation
    background_sd : float or (ny, nx) array
        Prescribed standard deviation of the background errors, m3 m-3, for ``paper`` and ``analytic``.
    n_members : int
        Perturbed members of ``paper``.
    seed, time : int, datetime
        Key of the random numbers.
    ensemble : EnsembleErrors, optional
        For ``ensemble`` and ``hybrid``.
    innovation_weight : float
        For ``hybrid``.
    """
    if name == "paper":
        return PaperErrors(background_sd, innovation.observation_sd, n_members, seed, time)
    if name == "analytic":
        return AnalyticErrors(background_sd)
    from_innovation = InnovationErrors(seed, time)
    if name == "innovation":
        return from_innovation
    assert ensemble is not None
    if name == "ensemble":
        return ensemble
    from imgda_mpi.error_models.hybrid import HybridErrors  # only what has members needs it

    return HybridErrors(ensemble, from_innovation, innovation_weight)
