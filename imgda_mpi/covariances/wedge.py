"""B with one variance for each wedge of the curvelet transform."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.distributed.continuation import Continuation
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Observations


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
        self._spectrum = powers.transform.filter_of(variances)
        self._spectrum[0, 0] += mean_variance * np.prod(image_rows.shape)
        self._signal = self._spectrum[:, image_rows.own_columns]
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

    def preconditioner(self, innovation: Observations, weight: float = 1.0) -> Callable[[FloatArray], FloatArray]:
        """E^T (w S + s^2)^-1 E with a smooth continuation E into what is not observed. Collective.

        r^T (w H S H^T + s^2)^-1 r is the least x^T (w S + s^2)^-1 x of all images x that continue r: E r is near to the
        one that has it, or for signals without large scales the image without a continuation is. Both bound it from
        above, and the one that does so better for the innovation is taken. The noise s^2 is the harmonic mean of R.
        """
        image_rows, observed = self._image_rows, innovation.observed
        weights, inner = observed.astype(np.float64), image_rows.inner
        precisions = np.divide(1.0, innovation.noise, out=np.zeros_like(weights), where=observed)
        total, noise = inner(weights, weights), 1.0
        if total > 0:
            noise = total / inner(precisions, weights)
        factors = (1.0 / (weight * self._signal + noise)).astype(np.float32)
        extend = Continuation(image_rows, observed, weight * self._spectrum, noise)

        def continued(rows: FloatArray) -> FloatArray:
            return extend.adjoint(image_rows.filter(extend(rows), factors)).astype(np.float64)

        def left(rows: FloatArray) -> FloatArray:
            return image_rows.filter(rows.astype(np.float32), factors).astype(np.float64)

        values = innovation.values
        of_continued, of_left = (
            image_rows.energy(image, factors) for image in (extend(values), values.astype(np.float32))
        )
        return continued if of_continued < of_left else left

    def draw(self, sample: Sample) -> FloatArray:
        """White noise through the root of the filter, (n_own, nx) m3 m-3. Collective."""
        white = sample.white(self._image_rows.shape, rows=self._image_rows.own)
        return self._image_rows.filter(white, np.sqrt((1 - self._share) * self._signal))
