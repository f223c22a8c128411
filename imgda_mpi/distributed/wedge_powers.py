"""Powers of wedges: sums of squared coefficients over the positions of each, by ranks that share the wedges out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.curvelet import Chunk, CurveletTransform, Wedge
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.fourier import ComplexValues, padded_spectrum


class WedgePowers:
    """Inner products of two images, wedge by wedge.

    Coefficients of a wedge have the inner product of the frequencies in its window (Parseval). Each wedge is summed up
    by one rank, so that the bits do not depend on the number of ranks. Making one is not collective.

    Parameters
    ----------
    transform, comm : the ranks have the rows of images

    Attributes
    ----------
    image_rows : ImageRows
    scale : (n_wedges,) array
        Scale of each wedge.
    """

    def __init__(self, transform: CurveletTransform, comm: MPI.Intracomm) -> None:
        self.transform, self.image_rows = transform, ImageRows(comm, transform.layout.image_shape)
        layout = transform.layout
        self._chunks = Rectangle(layout, 1, comm.size).chunks(comm.rank)
        self._number_of = {wedge.start: number for number, wedge in enumerate(layout.wedges)}
        self.scale: IntArray = np.array([wedge.scale for wedge in layout.wedges])

    @cached_property
    def norms(self) -> FloatArray:
        """Power of white noise of variance 1 in each wedge, (n_wedges,), for each pixel of the image."""
        layout = self.transform.layout
        white = np.ones(padded_spectrum(layout.image_shape))
        return np.concatenate([self.transform.inner_products(white, chunk) for chunk in layout.chunks])

    def of(self, rows: FloatArray, other: FloatArray | None = None) -> FloatArray:
        """Inner products (n_wedges,) of the coefficients of two images, or of one with itself. Collective.

        Ranks give their own rows (n_own, nx). Complex wedges count twice, for their opposite half: the sum over all
        wedges is that over the pixels.
        """
        product = self.image_rows.product_of_spectra(rows, rows if other is None else other)
        powers = np.zeros(len(self.transform.layout.wedges))
        for chunk in self._chunks:
            first = self._number_of[chunk.start]
            powers[first : first + len(chunk.wedges)] = self.transform.inner_products(product, chunk)
        # Every wedge is on one rank: to the others' zeros nothing is added that could be rounded.
        self.image_rows.comm.Allreduce(MPI.IN_PLACE, powers)
        return powers

    def coefficients(
        self, image: FloatArray, chunks: Iterable[Chunk] | None = None
    ) -> Iterator[tuple[int, Wedge, Values]]:
        """Number, wedge and coefficients (stop - start,) of an image (ny, nx). Not collective.

        Of the own wedges, or of all wedges of some ``chunks``.
        """
        spectrum = self.transform.empty_spectrum()
        self.transform.to_spectrum(image.astype(self.transform.dtype), spectrum)
        return self._coefficients(spectrum, self._chunks if chunks is None else chunks)

    def _coefficients(self, spectrum: ComplexValues, chunks: Iterable[Chunk]) -> Iterator[tuple[int, Wedge, Values]]:
        for chunk in chunks:
            values = self.transform.to_coefficients(spectrum, chunk)
            for number, wedge in enumerate(chunk.wedges, self._number_of[chunk.start]):
                yield number, wedge, values[wedge.start - chunk.start : wedge.stop - chunk.start]


def scale_filter(transform: CurveletTransform, scales: Collection[int]) -> FloatArray:
    """Factors (ny, nx // 2 + 1) that keep the part of an image that some scales carry, 1 being the coarsest."""
    return transform.filter_of(np.array([float(wedge.scale in scales) for wedge in transform.layout.wedges]))
