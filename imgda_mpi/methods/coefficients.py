"""What the curvelet methods have in common: an error model, a transform, and the scales that are updated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from mpi4py import MPI

from imgda_mpi.covariances.covariance import ErrorModel
from imgda_mpi.covariances.noise import estimated_white_part, possible_white_part, powers_of_finest_modes
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment, Method, check_scales
from imgda_mpi.numerics.problem import Fact, Observations, Problem
from imgda_mpi.parallel.failure import same_fate


class CoefficientUpdate(Method):
    """A Kalman update of curvelet coefficients.

    Parameters
    ----------
    errors : ErrorModel
    transform : CurveletTransform
        Of the grid's array, see `Grid.transform_shape`.
    scales : collection of int, optional
        Scales that are updated, 1 being the coarsest; all of them unless given.
    """

    solver: ClassVar[str]
    needs_transform = True

    def __init__(
        self, errors: ErrorModel[Any], transform: CurveletTransform, scales: Collection[int] | None = None
    ) -> None:
        self._errors, self._transform, self._scales = errors, transform, scales
        self.needs_members = errors.needs_members
        self.name = f"{errors.name}/{self.solver}"

    @property
    def labels(self) -> Mapping[str, str]:
        """Method, error model, solver, and scales."""
        scales = "all" if self._scales is None else ", ".join(map(str, self._scales))
        return {"method": "image", "error_model": self._errors.name, "solver": self.solver, "scales": scales}

    def check(self, grid: Grid, observations: Observations) -> None:
        """Refuse scales that the transform has not: see `Method.check`."""
        check_scales(self._scales or (), self._transform)

    def estimated(self, observations: Observations) -> list[str]:
        """What the error model estimates, and the observation errors if they are to be: see `Method.estimated`."""
        return [*self._errors.estimated, *(["the observation errors"] if observations.estimate_sd else [])]

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        embedded = problem.embedded(self._transform.layout.image_shape)
        summary, observations = f"method {self.name}", embedded.observations
        facts: dict[str, Fact] = {}
        share = self._errors.coherent_share(observations)
        if share > 0 or observations.estimate_sd:
            observations, facts = settled_errors(embedded, share, WedgePowers(self._transform, comm), comm)
            embedded = replace(embedded, observations=observations)
            summary += f", observation errors {facts['white_observation_error'].value:.3f} m3 m-3 white"
            summary += f" and {share:.2f} of what is coherent"
        with same_fate(comm):
            facts |= self._errors.facts(embedded)
        if "inflation_by_innovation" in facts:
            ratio, error = facts["inflation_by_innovation"].value, facts["inflation_by_innovation_standard_error"].value
            summary += f", innovation asks for {ratio:.2f}+-{error:.2f} of the members' variance"
        return self._update(problem, embedded, summary, facts, comm)

    @abstractmethod
    def _update(
        self, problem: Problem, embedded: Problem, summary: str, facts: Mapping[str, Fact], comm: MPI.Intracomm
    ) -> Increment:
        """Increment of a problem, given on the grid and on the transform's array. Collective."""


def settled_errors(
    problem: Problem, share: float, powers: WedgePowers, comm: MPI.Intracomm
) -> tuple[Observations, dict[str, Fact]]:
    """Observations whose errors are those that an analysis works with, and what led there. Collective.

    The white part is estimated where that is asked for and possible, otherwise the prescribed one as far as the
    innovation lets it be (`possible_white_part`).
    """
    given = problem.observations
    innovation = given.minus(problem.background)  # not the problem's own, which would stay with it
    n_observed = np.count_nonzero(innovation.observed)
    prescribed = innovation.noise_power / n_observed
    finest = powers_of_finest_modes(innovation, powers, comm, 3 if given.estimate_sd else 1)
    estimate = estimated_white_part(finest) if given.estimate_sd else float("nan")
    if np.isnan(estimate):
        sd = np.sqrt(possible_white_part(prescribed, finest[-1], share) / prescribed) * given.sd
    else:
        sd = float(np.sqrt(estimate))
    observations = replace(given, sd=sd, coherent_share=share)
    white = float(np.sqrt(observations.noise_power / n_observed))
    facts = {
        "coherent_share": Fact(share, "1", "part of the coherent power of the innovation that is the observation's"),
        "white_observation_error": Fact(white, "m3 m-3", "standard deviation of white observation errors, as used"),
        "finest_innovation": Fact(
            float(np.sqrt(finest[-1])), "m3 m-3", "root of the power of a mode of the innovation at the finest scale"
        ),
    }
    if given.estimate_sd:
        meaning = "white observation errors from the finest scales of the innovation; NaN where these cannot tell"
        facts["estimated_observation_error"] = Fact(float(np.sqrt(estimate)), "m3 m-3", meaning)
    return observations, facts
