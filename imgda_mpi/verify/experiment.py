"""Methods on a problem whose truth is known: timed and scored."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import embed
from imgda_mpi.methods.method import Method
from imgda_mpi.numerics.problem import Problem
from imgda_mpi.verify.scores import Scores, scores

REGIONS = ("all land", "observed", "unseen")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method came to on one problem.

    Parameters
    ----------
    name : of the method
    analysis : (ny, nx) m3 m-3; None where it is not kept
    scores : against the truth, by region
    seconds : for the increment
    spectrum : (n_scales,) root mean square of the error of the analysis that each scale carries, m3 m-3
    """

    name: str
    analysis: FloatArray | None
    scores: Mapping[str, Scores]
    seconds: float
    spectrum: FloatArray


class Experiment:
    """Methods that are tried on problems on one grid. Making one is collective over ``comm``, and so is `run`.

    Methods are given by their names; errors are told apart by the scales of the transform.
    """

    def __init__(self, methods: Mapping[str, Method], transform: CurveletTransform, comm: MPI.Intracomm) -> None:
        self._methods, self._comm = methods, comm
        self._powers = WedgePowers(transform, comm)

    def run(self, problem: Problem, truth: FloatArray, *, keep_images: bool) -> list[Outcome]:
        """Every method on a problem with the truth (ny, nx), m3 m-3; an `ImgdaError` where one fails."""
        return [self._outcome(name, method, problem, truth, keep_images) for name, method in self._methods.items()]

    def _outcome(self, name: str, method: Method, problem: Problem, truth: FloatArray, keep_images: bool) -> Outcome:
        start = time.perf_counter()
        increment = method.increment(problem, self._comm)
        seconds = time.perf_counter() - start
        analysis = problem.background + np.where(increment.applied, increment.image, 0.0)
        land, observed = problem.land, problem.observations.observed
        where = zip(REGIONS, (land, observed, land & ~observed), strict=True)
        compared = {region: scores(analysis, truth, cells) for region, cells in where}
        error = embed(np.where(land, analysis - truth, 0.0), self._powers.transform.layout.image_shape)
        powers, scale, n_cells = self._powers.of(error), self._powers.scale, int(np.count_nonzero(land))
        spectrum = np.sqrt([powers[scale == one].sum() / n_cells for one in np.unique(scale)])
        return Outcome(name, analysis if keep_images else None, compared, seconds, spectrum)
