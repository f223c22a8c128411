"""What every method of an analysis is: a problem in, an increment out."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.exchange import Sent
from imgda_mpi.distributed.rectangle import holder_of_images
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.problem import Fact, Observations, Problem
from imgda_mpi.parallel.failure import same_fate

log = logging.getLogger(__name__)

FEWEST = 30  # observed cells to estimate from
"""Below, an estimated variance says little: of 30 independent values it has a standard error of a quarter."""

ENOUGH = 100  # observed cells to estimate from
"""Below, it is used with a warning: a standard error of a seventh, and more where errors are coherent."""


@dataclass(frozen=True, eq=False)
class Increment:
    """What a method makes of a problem.

    Parameters
    ----------
    image : increment on the grid, (ny, nx) m3 m-3, on every rank
    applied : cells that it is to be given to, (ny, nx) of bool
    summary : in a few words, for the log
    facts : numbers found on the way, by their names
    wedges : on rank 0, None elsewhere and for methods without a transform
    sent : by this rank to others
    parts : of the image, (ny, nx) m3 m-3 each, by the groups of features that they follow; on rank 0, none elsewhere
        and for methods that know of no features
    """

    image: FloatArray
    applied: BoolArray
    summary: str
    facts: Mapping[str, Fact]
    wedges: WedgeStatistics | None
    sent: Sent
    parts: Mapping[str, FloatArray] = field(default_factory=dict)


class Method(ABC):
    """A way from a background and observations to an increment, made for one grid and one number of ranks.

    Attributes
    ----------
    name : for the log
    needs_transform : of the class: whether it is made with a curvelet transform
    needs_members : whether the problem must have members
    uses_features : whether it makes use of features of the cells, where the problem has some
    """

    name: str
    needs_transform: ClassVar[bool] = False
    needs_members: bool = False
    uses_features: bool = False

    @property
    def labels(self) -> Mapping[str, str]:
        """What names it in a saved result."""
        return {"method": self.name}

    def check(self, grid: Grid, observations: Observations) -> None:  # noqa: B027 (most have nothing to refuse)
        """Refuse what the method cannot work with, before members are read. Not collective.

        Raises
        ------
        ConfigError
        """

    def estimated(self, observations: Observations) -> list[str]:
        """What it estimates from the innovation, in words; nothing for most methods. Not collective."""
        return []

    def holder(self, member: int, n_ranks: int) -> int:
        """Rank that has to hold a member of the model."""
        return holder_of_images(member, n_ranks)

    def increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        """Increment of the image; the same bits on any number of ranks. Collective over ``comm``.

        Raises
        ------
        ImgdaError
            On every rank.
        """
        if not problem.observations.observed.any():
            return made(problem, np.zeros_like(problem.background), f"method {self.name}, no increment")
        return self._increment(problem, comm)

    @abstractmethod
    def _increment(self, problem: Problem, comm: MPI.Intracomm) -> Increment:
        """Of a problem in which something is observed. Collective."""


def made(
    problem: Problem,
    image: FloatArray,
    summary: str,
    facts: Mapping[str, Fact] = MappingProxyType({}),
    *,
    unseen_too: bool = False,
    wedges: WedgeStatistics | None = None,
    sent: Sent | None = None,
    parts: Mapping[str, FloatArray] = MappingProxyType({}),
) -> Increment:
    """An increment for the observed cells, or with ``unseen_too`` for all land.

    Off the observed cells it is what the background errors have in common with those there, or, where it is not
    applied, the leakage of a transform's basis functions; a fact says how large it is.
    """
    observed = problem.observations.observed
    unseen = problem.land & ~observed
    rms = float(np.sqrt(np.mean(image[unseen] ** 2))) if unseen.any() else 0.0
    if unseen_too:
        name, meaning = "increment_unseen_rms", "increment of the land that was not observed"
    else:
        name, meaning = "increment_leakage_rms", "increment off the observed cells, not applied"
    applied = problem.land if unseen_too else observed
    facts = {name: Fact(rms, "m3 m-3", meaning), **facts}
    return Increment(image, applied, summary, facts, wedges, sent or Sent(), parts)


def check_scales(scales: Collection[int], transform: CurveletTransform) -> None:
    """Refuse scales that a transform has not, by a `ConfigError`."""
    n_scales = transform.geometry.n_scales
    if any(scale > n_scales for scale in scales):
        raise ConfigError(f"scales = {list(scales)}: this transform has the scales 1 to {n_scales}")


def check_enough(method: Method, observations: Observations, allow_few: bool, comm: MPI.Intracomm) -> None:
    """Refuse observations that are too few for what a method estimates of them; warn of few. Collective over ``comm``.

    Where nothing is observed nothing is estimated.

    Raises
    ------
    ConfigError
        Below `FEWEST` observed cells, unless few are allowed.
    """
    n_observed, estimated = int(np.count_nonzero(observations.observed)), method.estimated(observations)
    if not estimated or not 0 < n_observed < ENOUGH:
        return
    with same_fate(comm):
        if n_observed < FEWEST and not allow_few:
            raise fault(
                f"method {method.name}",
                found=f"{n_observed} observed soil cells to estimate {' and '.join(estimated)} from",
                expected=f"at least {FEWEST}",
                do="take a method that is told its errors, as pointwise, or allow few",
                kind=ConfigError,
            )
    if comm.rank == 0:
        log.warning(
            "method %s: %d observed soil cells to estimate %s from: fewer than %d give rough estimates",
            method.name,
            n_observed,
            " and ".join(estimated),
            ENOUGH,
        )
