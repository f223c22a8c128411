"""Trials of a comparison: problems, and what their solutions are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.features import Groups
from imgda_mpi.numerics.problem import Members, Observations, Problem
from imgda_mpi.verify.noise import Noise


@dataclass(frozen=True, eq=False)
class Case:
    """Soil moisture of one time on a common grid, (ny, nx) m3 m-3, NaN where missing.

    Parameters
    ----------
    time : aware
    background
    truths : that observations are made from in turn; none where there is a real one
    are_members : whether the truths are members of one ensemble
    observation : a real one; None where observations are made
    judge : what analyses of the real one are held against; None where that is no image
    """

    time: datetime
    background: FloatArray
    truths: Sequence[FloatArray] = ()
    are_members: bool = False
    observation: FloatArray | None = None
    judge: FloatArray | None = None

    @cached_property
    def land(self) -> BoolArray:
        """Cells of the background, with truths those that all of them have too, (ny, nx)."""
        return np.asarray(np.isfinite(np.stack([self.background, *self.truths])).all(axis=0))

    def members_but(self, which: int) -> Members | None:
        """All members but the one that is the truth; None where the truths are no members."""
        if not self.are_members:
            return None
        others = np.stack([image for other, image in enumerate(self.truths) if other != which])
        anomalies = np.where(self.land, others - others.mean(axis=0), 0.0)
        spread = np.where(self.land, others.std(axis=0, ddof=1), np.nan)
        return Members(dict(enumerate(anomalies)), spread, len(others))


@dataclass(frozen=True)
class Key:
    """Which trial it is: numbers of case, truth and seed, each from 0."""

    case: int
    truth: int
    seed: int


@dataclass(frozen=True, eq=False)
class Trial:
    """A problem, and the image (ny, nx) m3 m-3 that analyses of it are held against; None where that is no image."""

    problem: Problem
    reference: FloatArray | None


@dataclass(frozen=True, eq=False)
class Trials:
    """All trials of a comparison, by number: the cases in turn, for each its truths, and for each of them all seeds.

    Parameters
    ----------
    grid
    cases : with as many truths each
    pattern : cells that are observed where observations are made, (ny, nx)
    noise : of observations that are made; None with real ones
    n_seeds : draws of the noise for each truth, 1 of real ones
    assumed : standard deviation of the observation errors that methods are told, m3 m-3
    estimate : whether methods estimate it
    features : of the cells, see `Problem`
    """

    grid: Grid
    cases: Sequence[Case]
    pattern: BoolArray
    noise: Noise | None
    n_seeds: int
    assumed: float
    estimate: bool
    features: Groups = field(default_factory=dict)

    @property
    def n_trials(self) -> int:
        """How many there are."""
        return self.n_seeds * sum(max(1, len(case.truths)) for case in self.cases)

    @cached_property
    def keys(self) -> list[Key]:
        """Of all trials."""
        return [
            Key(case, truth, seed)
            for case, images in enumerate(self.cases)
            for truth in range(max(1, len(images.truths)))
            for seed in range(self.n_seeds)
        ]

    def observed(self, case: Case) -> BoolArray:
        """Cells of a case that are observed, (ny, nx)."""
        return case.land & (self.pattern if case.observation is None else np.isfinite(case.observation))

    def observations(self, case: Case, truth: int = 0, seed: int = 0) -> Observations:
        """What is observed of a case, with a draw of the noise where it is made from a truth."""
        observed = self.observed(case)
        if case.observation is not None:
            image = case.observation
        elif self.noise is not None:
            image = case.truths[truth] + self.noise.draw(case.time, seed, truth)
        else:
            raise ValueError("a case without a real observation needs noise")
        return Observations(np.where(observed, image, 0.0), observed, self.assumed, self.estimate)

    def trial(self, number: int) -> Trial:
        """The trial of a number. The noise is drawn anew each time, and always the same."""
        key = self.keys[number]
        case = self.cases[key.case]
        observations = self.observations(case, key.truth, key.seed)
        members = case.members_but(key.truth)
        problem = Problem(
            self.grid, case.background, case.land, observations, members, case.time, key.seed, self.features
        )
        return Trial(problem, case.truths[key.truth] if case.truths else case.judge)
