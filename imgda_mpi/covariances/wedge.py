"""B with one variance for each wedge of the curvelet transform."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers, wedge_filter
from imgda_mpi.numerics.perturbations import Sample


class WedgeCovariance(Covariance):
    """B = C^T diag(b_w) C with a variance b_w for each wedge, (n_wedges,) (m3 m-3)2: a filter, the same everywhere."""

    def __init__(self, image_rows: ImageRows, powers: WedgePowers, variances: FloatArray) -> None:
        self._image_rows = image_rows
        self.coefficient_variances = variances
        self._factors = wedge_filter(powers.transform, variances)[:, image_rows.own_columns]
        own_shape = (image_rows.own.stop - image_rows.own.start, image_rows.shape[1])
        self.variance = np.broadcast_to(np.sum(variances * powers.norms), own_shape)

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return self._image_rows.filter(rows, self._factors)

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The exact inverse for the mean of the noise where there is any: again a filter. Collective."""
        total = self._image_rows.inner(noise, np.ones_like(noise))
        mean = self._image_rows.inner(noise, noise) / total if total > 0 else 1.0
        factors = 1.0 / (self._factors + mean)
        return lambda rows: self._image_rows.filter(rows, factors)

    def draw(self, sample: Sample) -> FloatArray:
        """White noise through the root of the filter, (n_own, nx) m3 m-3. Collective."""
        white = sample.white(self._image_rows.shape)
        return self._image_rows.filter(white[self._image_rows.own], np.sqrt(self._factors))
