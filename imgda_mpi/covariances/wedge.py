"""B with one variance for each wedge of the curvelet transform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers, wedge_filter
from imgda_mpi.numerics.perturbations import Sample


class WedgeCovariance(Covariance):
    """B = (1 - a) S of a signal S = C^T diag(s_w) C + s_0 1 1^T: a filter, the same everywhere.

    Parameters
    ----------
    image_rows, powers : of the images and the transform
    variances : s_w, (n_wedges,) (m3 m-3)2
    coherent_share : a, the part of S that is of the observation errors, 0 to 1
    mean_variance : s_0, of an error that is the same in all pixels, (m3 m-3)2

    Attributes
    ----------
    signal_variance : of S in a pixel, (m3 m-3)2
    """

    def __init__(
        self,
        image_rows: ImageRows,
        powers: WedgePowers,
        variances: FloatArray,
        coherent_share: float = 0.0,
        mean_variance: float = 0.0,
    ) -> None:
        self._image_rows, self._share, self.mean_variance = image_rows, coherent_share, mean_variance
        # An error that is the same everywhere is all in the coarsest scale, which is one wedge.
        of_coefficients = variances + np.where(powers.scale == 1, mean_variance / powers.norms, 0.0)
        self._of_coefficients = np.stack([(1 - coherent_share) * of_coefficients, coherent_share * of_coefficients])
        signal = wedge_filter(powers.transform, variances)
        signal[0, 0] += mean_variance * np.prod(image_rows.shape)
        self._signal = signal[:, image_rows.own_columns]
        of_pixel = float(np.sum(of_coefficients * powers.norms))
        self.signal_variance, self.coherent_variance = of_pixel, coherent_share * of_pixel
        own_shape = (image_rows.own.stop - image_rows.own.start, image_rows.shape[1])
        self.variance = np.broadcast_to((1 - coherent_share) * of_pixel, own_shape)

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return (1 - self._share) * self.apply_signal(rows)

    def apply_coherent(self, rows: FloatArray) -> FloatArray:
        """S - B times an image, (n_own, nx). Collective."""
        return self._share * self.apply_signal(rows) if self._share > 0 else np.zeros_like(rows)

    def apply_signal(self, rows: FloatArray) -> FloatArray:
        """S times an image, (n_own, nx). Collective."""
        return self._image_rows.filter(rows, self._signal)

    def coefficient_variances(self, powers: WedgePowers, *, seed: int, time: datetime) -> FloatArray:
        """Of B and of S - B, (2, n_wedges) (m3 m-3)2. Not collective."""
        return self._of_coefficients

    def preconditioner(self, noise: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """The exact inverse of S and the mean of the noise where there is any: again a filter. Collective."""
        total = self._image_rows.inner(noise, np.ones_like(noise))
        mean = self._image_rows.inner(noise, noise) / total if total > 0 else 1.0
        factors = 1.0 / (self._signal + mean)
        return lambda rows: self._image_rows.filter(rows, factors)

    def draw(self, sample: Sample) -> FloatArray:
        """White noise through the root of the filter, (n_own, nx) m3 m-3. Collective."""
        white = sample.white(self._image_rows.shape)
        return self._image_rows.filter(white[self._image_rows.own], np.sqrt((1 - self._share) * self._signal))
