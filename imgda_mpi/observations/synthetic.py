"""Observations of a known truth: which images are taken for it, what is seen of them, and with which noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.perturbations import perturbation
from imgda_mpi.numerics.problem import Members, Observations, Problem
from imgda_mpi.observations.read import say_remarks


@dataclass(frozen=True, eq=False)
class Truths:
    """Soil moisture on a common grid, (ny, nx) m3 m-3, NaN where missing.

    Parameters
    ----------
    background : image
    images : that are the truth in turn
    are_members : whether the truths are members of one ensemble
    files : that were read
    """

    background: FloatArray
    images: list[FloatArray]
    are_members: bool
    files: list[Path]

    @cached_property
    def land(self) -> BoolArray:
        """Cells that all images have, (ny, nx)."""
        return np.asarray(np.isfinite(np.stack([self.background, *self.images])).all(axis=0))

    def members_but(self, which: int) -> Members | None:
        """All members but the one that is the truth; None where the truths are no members."""
        if not self.are_members:
            return None
        others = np.stack([image for other, image in enumerate(self.images) if other != which])
        anomalies = np.where(self.land, others - others.mean(axis=0), 0.0)
        spread = np.where(self.land, others.std(axis=0, ddof=1), np.nan)
        return Members(dict(enumerate(anomalies)), spread, len(others))


def truths_of_members(
    grid: Grid, time: datetime, *, file: Path, variable: str, layer: tuple[float, float] | None, background_member: int
) -> Truths:
    """Members in one CF file: one is the background, the others are truths. Not collective.

    Raises
    ------
    InputError
        Where there are fewer than four members, or not the one that is the background.
    """
    from imgda_mpi.observations.cf import count_members, read_member  # on the one rank that reads

    n_members = count_members(file, time, variable)
    if background_member >= n_members or n_members < 4:
        raise fault(
            file,
            variable,
            found=f"{n_members} members",
            expected=f"4 or more, number {background_member} among them",
            do="add members, or take another background_member",
        )
    read = [read_member(file, grid, time, variable=variable, layer=layer, member=number) for number in range(n_members)]
    say_remarks(read[0].source, read[0].remarks)  # they hold for all members
    background = read.pop(background_member)
    return Truths(background.values, [image.values for image in read], True, [background.path])


def swaths(shape: tuple[int, int], period: int, width: int, slope: float) -> BoolArray:
    """Pixels (ny, nx) that are observed: column i of row j where (i + floor(slope j)) mod period < width."""
    row, column = np.indices(shape)
    place = column + np.floor(slope * row).astype(np.int64)
    return np.asarray(place % period < width)


Draw = Callable[[int], tuple[Problem, FloatArray]]
"""The problem of a draw of the noise, and its truth, (ny, nx) m3 m-3."""


def draws(
    truths: Truths,
    grid: Grid,
    observed: BoolArray,
    *,
    time: datetime,
    noise: float,
    n_seeds: int,
    assumed: float,
    estimate: bool,
) -> Draw:
    """Draws of white noise with a standard deviation ``noise``: the truths in turn, for each of them all seeds.

    Parameters
    ----------
    observed : cells, (ny, nx)
    time : part of the key of the noise
    noise, assumed : standard deviations of the observation errors: the true one, and what methods are told, m3 m-3
    estimate : whether methods estimate it
    """
    land = truths.land

    def draw(number: int) -> tuple[Problem, FloatArray]:
        which, seed = divmod(number, n_seeds)
        truth = truths.images[which]
        # Observation errors of one truth must not be those of another.
        white = perturbation(land.shape, seed=seed, time=time, kind="observation", member=1_000_000 + which)
        values = np.where(observed, truth + noise * white, 0.0)
        observations = Observations(values, observed, assumed, estimate)
        return Problem(grid, truths.background, land, observations, truths.members_but(which), time, seed), truth

    return draw
