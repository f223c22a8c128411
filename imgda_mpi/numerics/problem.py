"""What every method of an analysis takes: a background, what was observed, and the members of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid, embed
from imgda_mpi.numerics.features import Groups, embed_cells

ErrorSd = float | FloatArray
"""Standard deviation of errors, m3 m-3, above 0: a number, or an (ny, nx) field."""


class Fact(NamedTuple):
    """A number that a method found on its way."""

    value: float | int
    unit: str
    meaning: str


@dataclass(frozen=True, eq=False)
class Observations:
    """One observed image y = H x + e of an image x.

    The errors e have a white part of variance R = s_o^2, and may have a coherent one: a share of what the innovation
    holds beside white noise. H picks the observed pixels; what it gives is an image that is 0 elsewhere. Methods know H
    by `apply` and `adjoint` alone, and R by `noise`, or by `variance` for images that are 0 elsewhere.

    Parameters
    ----------
    values : y, or after `minus` the innovation y - H x, (ny, nx) m3 m-3; 0 where nothing is observed
    observed : (ny, nx) of bool
    sd : s_o, a number or (ny, nx), m3 m-3, above 0
    estimate_sd : whether methods that can shall estimate s_o from the innovation instead
    coherent_share : the coherent part, 0 to 1, as a method has settled it
    """

    values: FloatArray
    observed: BoolArray
    sd: ErrorSd
    estimate_sd: bool = False
    coherent_share: float = 0.0

    def apply(self, image: FloatArray) -> FloatArray:
        """H x, (ny, nx), of an image x that is finite everywhere."""
        return self._weights * image

    def adjoint(self, values: FloatArray) -> FloatArray:
        """H^T z, (ny, nx), of values z where something is observed."""
        return self._weights * values

    @cached_property
    def _weights(self) -> FloatArray:
        """H as numbers: products with bits take twice as long."""
        return self.observed.astype(np.float64)

    @property
    def noise(self) -> FloatArray:
        """R, (ny, nx) (m3 m-3)2, 0 where nothing is observed."""
        return self.variance * self.observed

    @property
    def variance(self) -> FloatArray:
        """s_o^2 everywhere, (ny, nx) (m3 m-3)2, as if all was observed."""
        return np.broadcast_to(np.square(np.asarray(self.sd, np.float64)), self.values.shape)

    @property
    def noise_power(self) -> float:
        """Expected sum of the squared observation errors over the observed pixels, (m3 m-3)2."""
        return float(self.variance[self.observed].sum())

    def minus(self, image: FloatArray | float) -> Observations:
        """Y - H x for an image x, (ny, nx) or a number: the innovation if x is the background."""
        return replace(self, values=np.where(self.observed, self.values - image, 0.0))

    def rows(self, own: slice) -> Observations:
        """What is observed of some rows of the image."""
        sd = self.sd[own] if isinstance(self.sd, np.ndarray) else self.sd
        return replace(self, values=self.values[own], observed=self.observed[own], sd=sd)


@dataclass(frozen=True, eq=False)
class Members:
    """Images of an ensemble of the model.

    Parameters
    ----------
    anomalies : by its number, of each member that this rank holds (`Method.holder`): member minus the mean of all,
        (ny, nx) m3 m-3, 0 off the land
    spread : standard deviation over members, (ny, nx) m3 m-3, NaN off the land; the same on every rank
    n_members : of all ranks
    """

    anomalies: Mapping[int, FloatArray]
    spread: FloatArray
    n_members: int


@dataclass(frozen=True, eq=False)
class Problem:
    """An analysis to be made; images are the same on every rank.

    Parameters
    ----------
    grid : of the images
    background : x_b, (ny, nx) m3 m-3, NaN off the land
    land : cells that can be corrected, (ny, nx)
    observations : on cells of the land
    members : of the model, None where the method needs none
    time, seed : of the analysis: the key of all random numbers
    features : of the cells, beside the background itself, by the names of their groups; the same on every rank
    """

    grid: Grid
    background: FloatArray
    land: BoolArray
    observations: Observations
    members: Members | None
    time: datetime
    seed: int
    features: Groups = field(default_factory=dict)

    @cached_property
    def innovation(self) -> Observations:
        """Y - H x_b with the same H and R."""
        return self.observations.minus(self.background)

    def embedded(self, shape: tuple[int, int]) -> Problem:
        """The same in the top left corner of larger images, on which nothing more is land or observed.

        The members stay on the grid.
        """
        if shape == self.land.shape:
            return self
        given = self.observations
        observations = Observations(
            embed(given.values, shape),
            embed(given.observed, shape),
            embedded_sd(given.sd, self.land, shape),
            given.estimate_sd,
            given.coherent_share,
        )
        background, land = embed(self.background, shape), embed(self.land, shape)
        features = {name: embed_cells(one, self.land.shape, shape) for name, one in self.features.items()}
        return replace(self, background=background, land=land, observations=observations, features=features)


def members_of(problem: Problem) -> Members:
    """The members of a problem that must have some; a ValueError where it has none."""
    if problem.members is None:
        raise ValueError("the problem has no members of the model")
    return problem.members


def embedded_sd(sd: ErrorSd, land: BoolArray, shape: tuple[int, int]) -> ErrorSd:
    """Standard deviations on a larger image: beyond the given one their mean over the land, which keeps them alike.

    The land, of bool, has the given image's shape or is already embedded.
    """
    if not isinstance(sd, np.ndarray):
        return sd
    ny, nx = sd.shape
    inside = embed(sd, shape)
    return np.where(inside > 0, inside, sd[land[:ny, :nx]].mean())
