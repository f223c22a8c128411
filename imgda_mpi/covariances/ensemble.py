"""Error model ``ensemble``: background errors as the spread of a set of model states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.covariances.covariance import Covariance, CovarianceErrors
from imgda_mpi.covariances.noise import masked_variance, observation_variances
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid, embed
from imgda_mpi.numerics.localisation import Localisation
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Fact, Members, Observations, Problem, members_of
from imgda_mpi.numerics.sample_variance import MEMBERS_PER_BLOCK, member_blocks

SMOOTHING = 5  # positions of a wedge in each direction


class EnsembleErrors(CovarianceErrors):
    """Background errors from the anomalies of the model's members.

    Parameters
    ----------
    localisation : float
        Length of the Gaspari-Cohn correlation of the full solver, km.
    inflation : float or "innovation"
        Factor of the members' variance; "innovation" for the one that the innovation asks for.
    """

    name = "ensemble"
    needs_members = True

    def __init__(self, localisation: float, inflation: float | str) -> None:
        self._length, self._inflation = 1000.0 * localisation, inflation
        self.estimated = ("the inflation of the members",) if isinstance(inflation, str) else ()

    def facts(self, problem: Problem) -> dict[str, Fact]:
        """What the innovation says of the members' spread.

        Raises
        ------
        ConfigError
            Where it is to say the inflation and cannot.
        """
        ratio, error = self._ratio(problem)
        if self._inflation == "innovation" and np.isnan(ratio):
            raise ConfigError(
                "inflation by the innovation: the members do not differ where something is observed; give a number"
            )
        return {
            "inflation_by_innovation": Fact(ratio, "1", "factor of the members' variance that the innovation asks for"),
            "inflation_by_innovation_standard_error": Fact(error, "1", "of this factor, at least"),
        }

    def variances(self, own: OwnWedges, problem: Problem) -> tuple[Values, Values]:
        """B of the members' anomalies on the observed pixels, smoothed over positions, and R. Collective."""
        observations, members = problem.observations, self._inflated(problem)
        seen = {n: observations.apply(embed(one, problem.land.shape)) for n, one in members.anomalies.items()}
        (background,) = own.sample_variances(Anomalies(seen, members.n_members), ("background",))
        for _, wedge, place in own.wedges():
            step = 1 if wedge.is_real else 2
            positions = background[place][::step].reshape(wedge.shape)
            smooth = uniform_filter(positions, SMOOTHING, mode="wrap").ravel()
            background[place] = np.maximum(np.repeat(smooth, step), 0.0)
        return background, observation_variances(own, masked_variance(own, 1.0, observations), observations)

    def covariance(self, image_rows: ImageRows, powers: WedgePowers, problem: Problem) -> EnsembleCovariance:
        """B = 1/(N-1) sum_i diag(a_i) L diag(a_i). Collective."""
        members, axes = self._inflated(problem), (problem.grid.latitude, problem.grid.longitude)
        places = [np.asarray(axis, np.float64).tobytes() for axis in axes]
        # It is large, and needed where there are members alone.
        localisation = _localisation(*places, self._length) if members.anomalies else None
        return EnsembleCovariance(image_rows, members, localisation)

    def _inflated(self, problem: Problem) -> Members:
        members = members_of(problem)
        factor = self._ratio(problem)[0] if isinstance(self._inflation, str) else self._inflation
        return replace(members, anomalies={n: np.sqrt(factor) * one for n, one in members.anomalies.items()})

    @staticmethod
    def _ratio(problem: Problem) -> tuple[float, float]:
        spread = embed(np.nan_to_num(members_of(problem).spread), problem.land.shape)
        return spread_error_ratio(problem.innovation, spread)


@lru_cache(maxsize=1)
def _localisation(latitude: bytes, longitude: bytes, length: float) -> Localisation:
    """The one that was used last is kept: problems follow one another on one grid."""
    return Localisation(Grid(np.frombuffer(latitude), np.frombuffer(longitude)), length)


@dataclass(frozen=True, eq=False)
class Anomalies:
    """Members of the model as the variances of coefficients need them: by their anomalies (ny, nx), m3 m-3."""

    images: Mapping[int, FloatArray]
    n_members: int

    def deviation(self, kind: str, member: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> Values:
        """The anomaly of a member."""
        return self.images[member].astype(dtype)


class EnsembleCovariance(Covariance):
    """The localised covariance of members: sum over members of diag(a) L diag(a), divisor N - 1.

    Blocks of members are worked on by the ranks that hold them, and added in their order. Making one is collective.
    Members and localisation, None where no member is held, are on the grid: the images' top left corner.
    """

    def __init__(self, image_rows: ImageRows, members: Members, localisation: Localisation | None) -> None:
        self._image_rows, self._localisation = image_rows, localisation
        self._shape = members.spread.shape
        self._n_blocks, self._divisor = len(member_blocks(members.n_members)), members.n_members - 1
        # Blocks as `holder_of_images` gives them to the ranks.
        self._blocks = {
            number: np.stack([members.anomalies[member] for member in block])
            for number, block in enumerate(member_blocks(members.n_members))
            if number % image_rows.comm.size == image_rows.comm.rank
        }
        self.variance = self._sum_of_blocks({number: (block**2).sum(axis=0) for number, block in self._blocks.items()})

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        ny, nx = self._shape
        image = self._image_rows.whole(rows)[:ny, :nx]
        parts = {}
        if self._localisation is not None:
            for number, block in self._blocks.items():
                parts[number] = (block * self._localisation.apply(block * image)).sum(axis=0)
        return self._sum_of_blocks(parts)

    def draw(self, sample: Sample) -> FloatArray:
        """(N-1)^-1/2 sum_i a_i L^1/2 e_i with white noise e_i, (n_own, nx) m3 m-3. Collective."""
        parts = {}
        if self._localisation is not None:
            for number, block in self._blocks.items():
                first, shape = number * MEMBERS_PER_BLOCK, self._localisation.noise_shape
                white = np.stack([sample.white(shape, first + n) for n in range(len(block))])
                parts[number] = (block * self._localisation.root(white)).sum(axis=0)
        return np.asarray(self._sum_of_blocks(parts) * np.sqrt(self._divisor))

    def _sum_of_blocks(self, parts: Mapping[int, FloatArray]) -> FloatArray:
        """Own rows of the sum over all blocks, divided by N - 1, from the images (ny, nx) of the own blocks."""
        embedded = {number: embed(part, self._image_rows.shape) for number, part in parts.items()}
        return self._image_rows.sum(embedded, self._n_blocks) / self._divisor


def spread_error_ratio(innovation: Observations, spread: FloatArray) -> tuple[float, float]:
    """Factor by which the innovation says that the members' variance should be multiplied.

    The innovation is observation minus background, ``spread`` (ny, nx) the members' standard deviation, m3 m-3.

    Returns
    -------
    ratio, its standard error
        (sum d^2 - sum s_o^2) / sum spread^2 over the observed pixels, not below 0; NaN where nothing is observed or
        there is no spread. The standard error is that of pixels without correlation: a lower bound.
    """
    observed = innovation.observed
    variance = np.square(spread[observed])
    if not variance.sum() > 0:
        return float("nan"), float("nan")
    surplus = np.square(innovation.values[observed]).sum() - innovation.noise_power
    noise = np.sqrt(2 * np.square(variance + innovation.variance[observed]).sum())
    return float(max(surplus, 0.0) / variance.sum()), float(noise / variance.sum())
