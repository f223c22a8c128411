"""Error model ``hybrid``: the localised ensemble and the wedges' variances from the innovation, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.covariances.covariance import Covariance, CovarianceErrors
from imgda_mpi.covariances.ensemble import EnsembleErrors
from imgda_mpi.covariances.innovation import InnovationErrors
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Fact, Observations, Problem


class HybridErrors(CovarianceErrors):
    """B = (1 - alpha) B_ensemble + alpha B_innovation (Hamill and Snyder 2000, Mon. Weather Rev. 128, 2905).

    Parameters
    ----------
    localisation, inflation
        Of the ensemble: see `EnsembleErrors`.
    innovation_weight : float
        alpha, 0 to 1.
    coherent_share, features : optional
        Of the part from the innovation: see `InnovationErrors`.
    """

    name = "hybrid"
    needs_members = True

    def __init__(
        self,
        localisation: float,
        inflation: float | str,
        innovation_weight: float,
        coherent_share: float | None = None,
        features: bool | None = None,
    ) -> None:
        from_innovation = InnovationErrors(coherent_share, features if innovation_weight > 0 else False)
        self._parts: list[tuple[float, CovarianceErrors]] = [
            (1 - innovation_weight, EnsembleErrors(localisation, inflation)),
            (innovation_weight, from_innovation),
        ]
        self.uses_features = from_innovation.uses_features
        self.estimated = tuple(what for weight, errors in self._parts if weight > 0 for what in errors.estimated)

    def coherent_share(self, observations: Observations) -> float:
        """That of the part from the innovation, 0 where this has no weight: see `InnovationErrors`."""
        weight, from_innovation = self._parts[1]
        return from_innovation.coherent_share(observations) if weight > 0 else 0.0

    def facts(self, problem: Problem) -> dict[str, Fact]:
        """What the problem says of the parts: see `EnsembleErrors`."""
        return {name: fact for _, errors in self._parts for name, fact in errors.facts(problem).items()}

    def variances(self, own: OwnWedges, problem: Problem) -> tuple[Values, Values]:
        """B and R of the own coefficients. Collective over the rectangle of ranks."""
        found = [(weight, *errors.variances(own, problem)) for weight, errors in self._parts]
        background = found[0][0] * found[0][1]
        for weight, more, _ in found[1:]:
            background += weight * more
        # Of the last part, which knows of coherent observation errors, whatever its weight.
        return background, found[-1][2]

    def covariance(self, image_rows: ImageRows, powers: WedgePowers, problem: Problem) -> HybridCovariance:
        """B of images. Collective."""
        return HybridCovariance(
            [(weight, errors.covariance(image_rows, powers, problem)) for weight, errors in self._parts]
        )


class HybridCovariance(Covariance):
    """B of the ensemble and B from the innovation, in this order, each with its weight.

    The coherent observation errors that parts know of are those of the observation whatever the weight.
    """

    def __init__(self, parts: Sequence[tuple[float, Covariance]]) -> None:
        self._parts = parts
        self.variance = np.asarray(sum(weight * part.variance for weight, part in parts))
        self.coherent_variance = sum(part.coherent_variance for _, part in parts)
        self.mean_variance = sum(weight * part.mean_variance for weight, part in parts)
        self.facts = {name: fact for _, part in parts for name, fact in part.facts.items()}
        self.summary = "".join(part.summary for _, part in parts)

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return np.asarray(sum(weight * part.apply(rows) for weight, part in self._parts))

    def parts(self, rows: FloatArray) -> dict[str, FloatArray]:
        """B times an image (n_own, nx), as far as it follows features of the place: by their groups. Collective."""
        return {name: weight * one for weight, part in self._parts for name, one in part.parts(rows).items()}

    def apply_coherent(self, rows: FloatArray) -> FloatArray:
        """S - B times an image, (n_own, nx). Collective."""
        return np.asarray(sum(part.apply_coherent(rows) for _, part in self._parts))

    def draw(self, sample: Sample) -> FloatArray:
        """Sum of independent samples of the parts, (n_own, nx) m3 m-3. Collective."""
        drawn = [np.sqrt(weight) * part.draw(sample.part(n)) for n, (weight, part) in enumerate(self._parts)]
        return np.asarray(sum(drawn))

    def preconditioner(self, innovation: Observations, weight: float = 1.0) -> Callable[[FloatArray], FloatArray]:
        """That of the part from the innovation, if it has a weight. Collective.

        What makes the system hard is how variances fall off from scale to scale. Members add some iterations, as many
        if this knew of their variance.
        """
        share, from_innovation = self._parts[1]
        if share == 0:
            return super().preconditioner(innovation, weight)
        return from_innovation.preconditioner(innovation, weight * share)
