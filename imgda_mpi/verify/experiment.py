"""Methods on trials: timed and scored."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.grid import embed
from imgda_mpi.methods.method import Method
from imgda_mpi.verify.scores import scores
from imgda_mpi.verify.trials import Trial

REGIONS = ("all land", "observed", "unseen")

SCORES = ("scc", "ubrmse", "bias")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What methods came to on one trial; NaN where there is none to say.

    Parameters
    ----------
    n_cells : compared with the image of reference, (n_regions,); 0 where there is none
    scores : against it, (n_methods, n_regions, n_scores), see `imgda_mpi.verify.scores`
    spectrum : root mean square of the error that each scale carries, (n_methods, n_scales) m3 m-3
    expected : error of the analysis on observed cells that the method itself expects, (n_methods,) m3 m-3
    at_cells : analyses at the cells asked for, (n_methods, n) m3 m-3
    seconds : for the increment, (n_methods,)
    analyses : (n_methods, ny, nx) m3 m-3; None where they are not kept
    """

    n_cells: IntArray
    scores: FloatArray
    spectrum: FloatArray
    expected: FloatArray
    at_cells: FloatArray
    seconds: FloatArray
    analyses: FloatArray | None = None


class Experiment:
    """Methods that are tried on one grid. Making one is collective over ``comm``, and so is `run`.

    Parameters
    ----------
    methods : by their names
    transform : whose scales errors are told apart by
    cells : numbers of cells, row by row, whose analyses are wanted, (n,)
    """

    def __init__(
        self, methods: Mapping[str, Method], transform: CurveletTransform, cells: IntArray, comm: MPI.Intracomm
    ) -> None:
        self._methods, self._cells, self._comm = methods, cells, comm
        self._powers = WedgePowers(transform, comm)

    def run(self, trial: Trial, *, keep_images: bool) -> Outcome:
        """Every method on a trial; an `ImgdaError` where one fails."""
        analyses, expected, seconds = [], [], []
        for method in self._methods.values():
            start = time.perf_counter()
            increment = method.increment(trial.problem, self._comm)
            seconds.append(time.perf_counter() - start)
            fact = increment.facts.get("expected_error_analysis_observed")
            expected.append(np.nan if fact is None else fact.value)
            analyses.append(trial.problem.background + np.where(increment.applied, increment.image, 0.0))
        problem, reference = trial.problem, trial.reference
        if reference is None:
            reference = np.full(problem.land.shape, np.nan)
        compared = problem.land & np.isfinite(reference)
        observed = problem.observations.observed
        regions = (compared, compared & observed, compared & ~observed)
        found = [[scores(analysis, reference, cells) for cells in regions] for analysis in analyses]
        return Outcome(
            n_cells=np.array([np.count_nonzero(cells) for cells in regions]),
            scores=np.array([[[getattr(one, name) for name in SCORES] for one in of_method] for of_method in found]),
            spectrum=np.array(
                [self._spectrum(np.where(compared, a - reference, 0.0), compared.sum()) for a in analyses]
            ),
            expected=np.array(expected),
            at_cells=np.array([analysis.ravel()[self._cells] for analysis in analyses]),
            seconds=np.array(seconds),
            analyses=np.array(analyses) if keep_images else None,
        )

    def _spectrum(self, error: FloatArray, n_cells: int) -> FloatArray:
        """Root mean square of an error (ny, nx) that each scale carries, NaN without cells."""
        image_rows = self._powers.image_rows
        powers = self._powers.of(embed(error, image_rows.shape)[image_rows.own])
        scale = self._powers.scale
        sums = np.array([powers[scale == one].sum() for one in np.unique(scale)])
        return np.sqrt(sums / n_cells) if n_cells else np.full(sums.shape, np.nan)
