"""Powers of wedges: sums of squared coefficients over the positions of each, by ranks that share the wedges out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.curvelet import CurveletTransform, Wedge
from imgda_mpi.distributed.rectangle import Rectangle


class WedgePowers:
    """Inner products of two images, wedge by wedge.

    Each wedge is transformed and summed up by one rank, so that the bits do not depend on the number of ranks. Making
    one is collective.

    Attributes
    ----------
    norms : (n_wedges,) array
        Power of white noise of variance 1, for each pixel of the image.
    scale : (n_wedges,) array
        Scale of each wedge.
    """

    def __init__(self, transform: CurveletTransform, comm: MPI.Intracomm) -> None:
        self.transform, self._comm = transform, comm
        self._chunks = Rectangle(transform.layout, 1, comm.size).chunks(comm.rank)
        self.scale: IntArray = np.array([wedge.scale for wedge in transform.layout.wedges])
        impulse = np.zeros(transform.layout.image_shape)
        impulse[0, 0] = 1.0
        self.norms = self.of(impulse)

    def of(self, image: FloatArray, other: FloatArray | None = None) -> FloatArray:
        """Inner products (n_wedges,) of the coefficients of two images, or of one with itself. Collective.

        The images (ny, nx) are the same on every rank. Complex wedges count twice, for their opposite half: the sum
        over all wedges is that over the pixels.
        """
        powers = np.zeros(len(self.transform.layout.wedges))
        others = None if other is None else self.coefficients(other)
        for number, wedge, values in self.coefficients(image):
            factors = values if others is None else next(others)[2]
            power = float(np.sum(np.multiply(values, factors, dtype=np.float64)))
            powers[number] = power if wedge.is_real else 2 * power
        # Every wedge is on one rank: to the others' zeros nothing is added that could be rounded.
        self._comm.Allreduce(MPI.IN_PLACE, powers)
        return powers

    def coefficients(self, image: FloatArray) -> Iterator[tuple[int, Wedge, Values]]:
        """Number, wedge and coefficients (stop - start,) of an image (ny, nx), of the own wedges. Not collective."""
        spectrum = self.transform.empty_spectrum()
        self.transform.to_spectrum(image.astype(self.transform.dtype), spectrum)
        for chunk in self._chunks:
            values = self.transform.to_coefficients(spectrum, chunk)
            first = self.transform.layout.wedges.index(chunk.wedges[0])
            for number, wedge in enumerate(chunk.wedges, first):
                yield number, wedge, values[wedge.start - chunk.start : wedge.stop - chunk.start]


def wedge_filter(transform: CurveletTransform, factors: FloatArray) -> FloatArray:
    """Factors (ny, nx // 2 + 1) >= 0 by which C^T diag(w) C multiplies a half spectrum, w (n_wedges,) one per wedge.

    Coefficients of a wedge are samples of a filtered image, dense enough that no frequency meets another: weighted
    alike and put together again they filter it twice, and nothing else.
    """
    layout = transform.layout
    impulse = np.zeros(layout.image_shape, transform.dtype)
    impulse[0, 0] = 1.0
    coefficients = transform.forward(impulse)
    for wedge, factor in zip(layout.wedges, factors, strict=True):
        coefficients[wedge.start : wedge.stop] *= factor
    # Rounding, seen beside the largest factor, must not make a covariance indefinite.
    return np.maximum(np.fft.rfft2(transform.inverse(coefficients).astype(np.float64)).real, 0.0)


def scale_filter(transform: CurveletTransform, scales: Collection[int]) -> FloatArray:
    """The `wedge_filter` that keeps the part of an image that some scales carry, 1 being the coarsest."""
    return wedge_filter(transform, np.array([float(wedge.scale in scales) for wedge in transform.layout.wedges]))
