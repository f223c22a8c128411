"""What the curvelet methods have in common: an error model, a transform, and the scales that are updated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from mpi4py import MPI

from imgda_mpi.covariances.covariance import ErrorModel
from imgda_mpi.covariances.noise import estimated_observation_sd, no_estimate
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
        """Refuse scales that the transform has not, and an estimate for which it has too few: see `Method.check`."""
        check_scales(self._scales or (), self._transform)
        n_scales = self._transform.geometry.n_scales
        if observations.estimate_sd and n_scales < 3:
            raise no_estimate(f"that needs three scales, this transform has {n_scales}")

    def estimated(self, observations: Observations) -> list[str]:
        """What the error model estimates, and the observation errors if they are to be: see `Method.estimated`."""
        return [*self._errors.estimated, *(["the observation errors"] if observations.estimate_sd else [])]

    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        embedded = problem.embedded(self._transform.layout.image_shape)
        facts: dict[str, Fact] = {}
        if problem.observations.estimate_sd:
            sd = estimated_observation_sd(embedded.innovation, WedgePowers(self._transform, comm), comm)
            embedded = replace(embedded, observations=replace(embedded.observations, sd=sd))
            meaning = "standard deviation of the observation errors, from the finest scales of the innovation"
            facts["estimated_observation_error"] = Fact(sd, "m3 m-3", meaning)
        with same_fate(comm):
            facts |= self._errors.facts(embedded)
        summary = f"method {self.name}"
        if "inflation_by_innovation" in facts:
            ratio, error = facts["inflation_by_innovation"].value, facts["inflation_by_innovation_standard_error"].value
            summary += f", innovation asks for {ratio:.2f}+-{error:.2f} of the members' variance"
        return self._update(problem, embedded, summary, facts, comm)

    @abstractmethod
    def _update(
        self, problem: Problem, embedded: Problem, summary: str, facts: Mapping[str, Fact], comm: MPI.Intracomm
    ) -> Increment:
        """Increment of a problem, given on the grid and on the transform's array. Collective."""
