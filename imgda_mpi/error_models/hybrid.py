"""Error model ``hybrid``: the localised ensemble and the wedges' variances from the innovation, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import Values
from imgda_mpi.error_models.ensemble import EnsembleErrors
from imgda_mpi.error_models.innovation import InnovationErrors
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.solvers.full import SumCovariance
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_powers import WedgePowers


@dataclass(frozen=True)
class HybridErrors:
    """B = (1 - alpha) B_ensemble + alpha B_innovation (Hamill and Snyder 2000, Mon. Weather Rev. 128, 2905).

    Parameters
    ----------
    ensemble : EnsembleErrors
    innovation : InnovationErrors
    weight : float
        alpha, 0 to 1.
    """

    ensemble: EnsembleErrors
    innovation: InnovationErrors
    weight: float

    def variances(self, own: OwnCoefficients, innovation: Innovation) -> tuple[Values, Values]:
        """B and R of the own coefficients. Collective over the rectangle of ranks."""
        of_members, observation = self.ensemble.variances(own, innovation)
        of_wedges, _ = self.innovation.variances(own, innovation)
        of_members *= 1 - self.weight
        of_wedges *= self.weight
        of_members += of_wedges
        return of_members, observation

    def covariance(self, rows: ImageRows, powers: WedgePowers, innovation: Innovation) -> SumCovariance:
        """B of images. Collective."""
        return SumCovariance(
            [
                (1 - self.weight, self.ensemble.covariance(rows, powers, innovation)),
                (self.weight, self.innovation.covariance(rows, powers, innovation)),
            ]
        )
