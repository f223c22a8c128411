"""What a background error covariance B is: for the diagonal solver, for the full solver, and to draw samples from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Generic, TypeVar

import numpy as np

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import Layout
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.own_coefficients import OwnCoefficients, OwnWedges
from imgda_mpi.distributed.rectangle import Rectangle, whole_wedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Fact, Observations, Problem


class Covariance(ABC):
    """B of images, of which each rank has its rows (n_own, nx), and the signal S that the innovation has of it.

    S is what the innovation holds beside white noise: B, and observation errors that are as coherent as B's.

    Attributes
    ----------
    variance : diagonal of B, (n_own, nx) (m3 m-3)2
    coherent_variance : diagonal of S - B, a number or (n_own, nx) (m3 m-3)2
    mean_variance : of an error in S that is the same in all pixels, (m3 m-3)2
    facts : what was found on the way to it, by name
    summary : the same in a few words, for the log
    """

    variance: FloatArray
    coherent_variance: float | FloatArray = 0.0
    mean_variance: float = 0.0
    facts: Mapping[str, Fact] = MappingProxyType({})
    summary: str = ""

    @abstractmethod
    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""

    def apply_coherent(self, rows: FloatArray) -> FloatArray:
        """S - B times an image, (n_own, nx): coherent observation errors, of most models none. Collective."""
        return np.zeros_like(rows)

    def apply_signal(self, rows: FloatArray) -> FloatArray:
        """S times an image, (n_own, nx). Collective."""
        return self.apply(rows) + self.apply_coherent(rows)

    def observed_signal(self, observations: Observations) -> Callable[[FloatArray], FloatArray]:
        """H S H^T of own rows (n_own, nx) that are 0 where nothing is observed. Not collective; calling it is.

        The observations, own rows, have H.
        """
        return lambda rows: observations.apply(self.apply_signal(rows))

    def parts(self, rows: FloatArray) -> dict[str, FloatArray]:
        """B times an image (n_own, nx), as far as it follows features of the place: by their groups. Collective."""
        return {}

    def coefficient_variances(self, powers: WedgePowers, *, seed: int, time: datetime) -> FloatArray | None:
        """Of B and of S - B, of a coefficient of each wedge whose curvelet has norm 1, (2, n_wedges) (m3 m-3)2.

        Means over positions, as if there was land everywhere; None where B has none. With the key of an analysis for
        what is estimated. Collective.
        """
        return None

    @abstractmethod
    def draw(self, sample: Sample) -> FloatArray:
        """A sample of errors with covariance B, (n_own, nx) m3 m-3. Collective."""

    def preconditioner(self, innovation: Observations, weight: float = 1.0) -> Callable[[FloatArray], FloatArray]:
        """An approximation of (w H S H^T + R)^-1 for own rows, positive definite on the observed pixels. Collective.

        The innovation, own rows, has H and R, and is an image that the approximation should be good for; the
        ``weight`` w is above 0. Unless B knows better it is the inverse of the diagonal, 1 where that is 0.
        """
        total = weight * (self.variance + self.coherent_variance) + innovation.noise
        inverse = np.divide(1.0, total, out=np.ones_like(total), where=total > 0)
        return lambda rows: inverse * rows


Own = TypeVar("Own", bound=OwnCoefficients)


class ErrorModel(ABC, Generic[Own]):
    """How B is found for a problem on the array of the transform.

    Attributes
    ----------
    name : as in the registry
    needs_members : whether the problem must have members of the model
    uses_features : whether its covariance of images has a part on features of the cells, where the problem has some
    scales_by_size : whether its transform has scales by the extent of the grid, see `TransformKind.on`
    estimated : what it estimates from the innovation, in words
    coefficients : what a rank owns for the diagonal solver: `OwnWedges`, or `OwnCoefficients` in member groups
    """

    name: ClassVar[str]
    needs_members: ClassVar[bool] = False
    uses_features: bool = False
    scales_by_size: ClassVar[bool] = True
    estimated: Sequence[str] = ()
    coefficients: type[Own]

    def coherent_share(self, observations: Observations) -> float:
        """Part of the signal in the innovation that is of the observation errors, 0 to 1; most models know of none."""
        return 0.0

    def facts(self, problem: Problem) -> dict[str, Fact]:
        """What the problem says of the model. Not collective.

        Raises
        ------
        ConfigError
            Where the model cannot be made for the problem.
        """
        return {}

    @abstractmethod
    def rectangle(self, layout: Layout, n_ranks: int, wedge_groups: int | None) -> Rectangle:
        """Who has which members and coefficients for the diagonal solver.

        Raises
        ------
        ConfigError
            Where so many wedge groups are not possible.
        """

    @abstractmethod
    def variances(self, own: Own, problem: Problem) -> tuple[Values, Values]:
        """B and R of the own coefficients, (n_own,) (m3 m-3)2. Collective over the rectangle of ranks.

        B + R is above 0, and both slots of a complex coefficient have the same.
        """


class WedgeErrors(ErrorModel[OwnWedges]):
    """Error models whose variances are found wedge by wedge."""

    coefficients = OwnWedges

    def rectangle(self, layout: Layout, n_ranks: int, wedge_groups: int | None) -> Rectangle:
        """Ranks that have whole wedges."""
        return whole_wedges(layout, n_ranks)


class CovarianceErrors(WedgeErrors):
    """Error models that the full solver knows too."""

    @abstractmethod
    def covariance(self, image_rows: ImageRows, powers: WedgePowers, problem: Problem) -> Covariance:
        """B of images. Collective."""
