"""What a comparison runs: each method on one draw of the noise, timed and scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation, large_scale_increment, pointwise_increment
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.baselines.letkf import letkf_increment
from imgda_mpi.baselines.optimal_interpolation import interpolation_increment
from imgda_mpi.comparison_config import Comparison
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.error_models.choose import choose_error_model
from imgda_mpi.error_models.ensemble import EnsembleErrors
from imgda_mpi.grid import Grid, embed
from imgda_mpi.localisation import Localisation
from imgda_mpi.parallel.rank_grid import RankGrid
from imgda_mpi.solvers.diagonal import diagonal_increment
from imgda_mpi.solvers.full import FullUpdate
from imgda_mpi.solvers.observation_error import estimated_observation_sd
from imgda_mpi.solvers.wedge_powers import WedgePowers, scale_filter
from imgda_mpi.verify.scores import Scores, scores

REGIONS = ("all land", "observed", "unseen")


@dataclass(frozen=True, eq=False)
class Draw:
    """One truth and one draw of the noise, images (ny, nx).

    Parameters
    ----------
    truth, background : m3 m-3, NaN off the land
    innovation : on the grid
    anomalies : (n_members, ny, nx) of members without the truth, 0 off the land, m3 m-3; None without members
    number : of the draw, from 0
    seed : of the noise, and of random numbers that a method draws
    """

    truth: FloatArray
    background: FloatArray
    innovation: Innovation
    anomalies: FloatArray | None
    number: int
    seed: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method came to on one draw.

    Parameters
    ----------
    name : the method, with its length where several are tried
    analysis : (ny, nx) m3 m-3; None but for the first draw
    scores : against the truth, by region
    seconds : for the increment
    spectrum : (n_scales,) root mean square of the error of the analysis that each scale carries, m3 m-3
    """

    name: str
    analysis: FloatArray | None
    scores: dict[str, Scores]
    seconds: float
    spectrum: FloatArray


class Methods:
    """The methods of a comparison on one grid, run by one process.

    Parameters
    ----------
    settings : Comparison
    grid : Grid
    transform : CurveletTransform
    land : (ny, nx) array of bool
        Cells that are compared.
    alone : MPI.Intracomm
        Of this process alone.
    """

    def __init__(
        self, settings: Comparison, grid: Grid, transform: CurveletTransform, land: BoolArray, alone: MPI.Intracomm
    ) -> None:
        self._settings, self._grid, self._transform, self._land, self._alone = settings, grid, transform, land, alone
        self._powers = WedgePowers(transform, alone)
        self._ranks = RankGrid(transform.layout, 1, 1)
        # What does not depend on the draw is no part of a method's time.
        wanted = settings.members
        self._localisation = Localisation(grid, 1000.0 * wanted.localisation) if wanted else None

    def outcomes(self, draw: Draw) -> list[Outcome]:
        """Every method on one draw."""
        return [
            self._outcome(name, draw, increment)
            for method in self._settings.methods
            for name, increment in self._variants(method, draw)
        ]

    def _outcome(self, name: str, draw: Draw, increment: Callable[[], FloatArray]) -> Outcome:
        start = time.perf_counter()
        ny, nx = self._grid.shape
        image = increment()[:ny, :nx]
        seconds = time.perf_counter() - start
        if not name.endswith("/full") and name.split()[0] not in ("letkf", "optimal_interpolation"):
            # As in an analysis: off the observed cells these leave leakage alone.
            image = np.where(draw.innovation.observed, image, 0.0)
        analysis = draw.background + image
        observed = draw.innovation.observed
        where = (self._land, observed, self._land & ~observed)
        compared = {region: scores(analysis, draw.truth, cells) for region, cells in zip(REGIONS, where, strict=True)}
        spectrum = self._error_spectrum(analysis - draw.truth)
        return Outcome(name, analysis if draw.number == 0 else None, compared, seconds, spectrum)

    def _error_spectrum(self, error: FloatArray) -> FloatArray:
        shape = self._transform.layout.image_shape
        powers = self._powers.of(embed(np.where(self._land, error, 0.0), shape))
        scale, n = self._powers.scale, np.count_nonzero(self._land)
        spectrum: FloatArray = np.sqrt(np.array([powers[scale == one].sum() / n for one in np.unique(scale)]))
        return spectrum

    def _variants(self, method: str, draw: Draw) -> Iterator[tuple[str, Callable[[], FloatArray]]]:
        """The method, or one for each length that it is tried with."""
        given, grid = draw.innovation, self._grid
        if method == "optimal_interpolation":
            for length in self._settings.interpolation_lengths:
                yield (
                    f"{method} {length:g} km",
                    partial(interpolation_increment, given, self._land, grid, 1000.0 * length),
                )
        elif method == "letkf":
            assert self._settings.members is not None
            assert draw.anomalies is not None
            for length in self._settings.members.letkf_lengths:
                increment = partial(letkf_increment, given, draw.anomalies, self._land, grid, 1000.0 * length)
                yield f"{method} {length:g} km", increment
        else:
            yield method, partial(self._increment, method, draw)

    def _increment(self, method: str, draw: Draw) -> FloatArray:
        """Increment of a method that has no length to be tried, of the transform's shape or the grid's."""
        given, assumed = draw.innovation, self._settings.errors
        if method == "none":
            return np.zeros_like(given.values)
        if method == "insert":
            return given.values
        if method == "pointwise":
            return np.asarray(pointwise_increment(given.values, assumed.background, given.observation_sd))
        if method == "pointwise_fitted":
            # The best constant gain that the innovation itself speaks for.
            power = float(np.square(given.values).sum())
            return max(0.0, 1 - given.noise_power / power) * given.values if power > 0 else given.values
        shape = self._transform.layout.image_shape
        innovation = Innovation(embed(given.values, shape), embed(given.observed, shape), given.observation_sd)
        if method == "large_scale":
            coarse = range(1, self._transform.geometry.n_scales // 2 + 1)
            low_pass = scale_filter(self._transform, coarse)
            sd = float(np.asarray(given.observation_sd))
            return np.asarray(large_scale_increment(innovation.values, assumed.background, sd, low_pass))
        if assumed.estimate_observation:
            estimate = estimated_observation_sd(innovation, self._transform, self._alone)
            innovation = replace(innovation, observation_sd=estimate)
        model, _, solver = method.partition("/")
        members = self._settings.members
        errors = choose_error_model(
            model,
            innovation,
            background_sd=assumed.background,
            n_members=assumed.n_members,
            seed=draw.seed,
            time=self._settings.time,
            ensemble=self._ensemble(draw),
            innovation_weight=members.innovation_weight if members else 0.0,
        )
        if solver == "full":
            return FullUpdate(innovation, errors, self._transform, self._alone).increment
        image, _, _ = diagonal_increment(innovation, errors, self._transform, self._ranks, self._alone)
        return np.asarray(image)

    def _ensemble(self, draw: Draw) -> EnsembleErrors | None:
        if draw.anomalies is None:
            return None
        shape = self._transform.layout.image_shape
        members = {number: embed(anomaly, shape) for number, anomaly in enumerate(draw.anomalies)}
        return EnsembleErrors(members, len(members), self._localisation, self._grid.shape)
