"""Error model ``ensemble``: background errors as the spread of a set of model states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.error_models.analytic import masked_variance, observation_variances
from imgda_mpi.grid import embed
from imgda_mpi.localisation import Localisation
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.solvers.full import diagonal_preconditioner
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_powers import WedgePowers
from imgda_mpi.spectral_errors import member_blocks

SMOOTHING = 5  # positions of a wedge in each direction


@dataclass(frozen=True, eq=False)
class EnsembleErrors:
    """Background errors from the anomalies of members.

    Parameters
    ----------
    anomalies : mapping from the number of a member to an (ny, nx) array
        Member minus the mean of all, 0 off the land, times the root of the inflation, m3 m-3: of the members that this
        rank holds, see `parallel.rank_grid`.
    n_members : int
        Of all ranks.
    localisation : Localisation or None
        None for the diagonal solver, and where no member is held.
    image_shape : (ny, nx)
        Of the image in the top left corner of the array, which is that of the localisation.
    """

    anomalies: Mapping[int, FloatArray]
    n_members: int
    localisation: Localisation | None
    image_shape: tuple[int, int]

    def deviation(self, kind: str, member: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> Values:
        """The anomaly of a member."""
        return self.anomalies[member].astype(dtype)

    def variances(self, own: OwnCoefficients, innovation: Innovation) -> tuple[Values, Values]:
        """B of the members' anomalies on the observed pixels, smoothed over positions, and R. Collective."""
        seen = {member: anomaly * innovation.observed for member, anomaly in self.anomalies.items()}
        masked = EnsembleErrors(seen, self.n_members, None, self.image_shape)
        (background,) = own.sample_variances(masked, ("background",))
        for _, wedge, place in own.wedges():
            step = 1 if wedge.is_real else 2
            positions = background[place][::step].reshape(wedge.shape)
            smooth = uniform_filter(positions, SMOOTHING, mode="wrap").ravel()
            background[place] = np.maximum(np.repeat(smooth, step), 0.0)
        return background, observation_variances(own, masked_variance(own, 1.0, innovation), innovation)

    def covariance(self, rows: ImageRows, powers: WedgePowers, innovation: Innovation) -> EnsembleCovariance:
        """B = 1/(N-1) sum_i diag(a_i) L diag(a_i). Collective."""
        return EnsembleCovariance(rows, self)


class EnsembleCovariance:
    """The localised covariance of members: sum over members of diag(a) L diag(a), divisor N - 1.

    Blocks of members are worked on by the ranks that hold them, and added in their order.
    """

    def __init__(self, rows: ImageRows, errors: EnsembleErrors) -> None:
        self._rows, self._localisation = rows, errors.localisation
        ny, nx = self._shape = errors.image_shape
        self._n_blocks, self._divisor = len(member_blocks(errors.n_members)), errors.n_members - 1
        # Blocks as `holder_of_images` gives them to the ranks.
        self._blocks = {
            number: np.stack([errors.anomalies[member][:ny, :nx] for member in block])
            for number, block in enumerate(member_blocks(errors.n_members))
            if number % rows.comm.size == rows.comm.rank
        }
        self.variance = self._sum_of_blocks({number: (block**2).sum(axis=0) for number, block in self._blocks.items()})
        self.wedge_variances = None

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        ny, nx = self._shape
        image = self._rows.whole(rows)[:ny, :nx]
        parts = {}
        for number, block in self._blocks.items():
            assert self._localisation is not None
            parts[number] = (block * self._localisation.apply(block * image)).sum(axis=0)
        return self._sum_of_blocks(parts)

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The inverse of the diagonal."""
        return diagonal_preconditioner(self.variance, noise)

    def _sum_of_blocks(self, parts: Mapping[int, FloatArray]) -> FloatArray:
        """Own rows of the sum over all blocks, divided by N - 1, from the images (ny, nx) of the own blocks."""
        shape = self._rows.shape
        embedded = {number: embed(part, shape) for number, part in parts.items()}
        return self._rows.sum(embedded, self._n_blocks) / self._divisor


def spread_error_ratio(innovation: Innovation, spread: FloatArray) -> tuple[float, float]:
    """Factor by which the innovation says that the members' variance should be multiplied.

    Parameters
    ----------
    innovation : Innovation
    spread : (ny, nx) array
        Standard deviation of the members, m3 m-3.

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
    noise = np.sqrt(2 * np.square(variance + innovation.observation_variance[observed]).sum())
    return float(max(surplus, 0.0) / variance.sum()), float(noise / variance.sum())
