"""The curvelet transform of real images and its inverse."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet.geometry import Geometry, default_scales
from imgda_mpi.curvelet.layout import Chunk, layout_of
from imgda_mpi.curvelet.parts import parts_of, self_conjugate
from imgda_mpi.fourier import (
    ComplexValues,
    Planner,
    Wisdom,
    aligned,
    empty,
    padded_spectrum,
    place_for,
    real_fourier,
)


class CurveletTransform:
    """Fast discrete curvelet transform by wrapping; a tight frame, so that the inverse is the adjoint.

    Parameters
    ----------
    shape : (ny, nx)
        Shape of the image, each at least 32; the image is periodic in both directions.
    n_scales : int, optional
        Scales, at least 2; ceil(log2(min(ny, nx)) - 3) unless given.
    n_angles : int
        Wedges at scale 2 before the opposite half is left out: a multiple of 4, at least 8. Doubles at every second
        scale.
    finest : str
        ``wavelets``: the finest scale is one real array; ``curvelets``: it has wedges like the others.
    sampling : str
        ``fast``: sizes of the wedges rounded up to quick FFT sizes; ``reference``: those of the published code, to
        compare coefficients number by number. Both are tight frames with the same windows.
    dtype : dtype
        float64 or float32, of images and coefficients.
    wisdom : Wisdom, optional
        FFT plans that were measured before (attribute ``wisdom`` of another object), or ``NO_WISDOM`` to measure them
        now. They are up to 1.4 times as fast as estimated ones; the last bits of the results depend on them.
        Without this the plans are estimated: they, and all bits, depend on the shape alone.

    Attributes
    ----------
    layout : Layout
        Where each wedge lies in the flat array of coefficients.
    geometry : Geometry
        How the frequency plane is cut.
    wisdom : Wisdom or None
        The measured plans, to be kept; None where they are estimated.

    Raises
    ------
    ValueError
        Where an argument does not hold, or a wedge would hold no frequency at all.

    Notes
    -----
    Candes, Demanet, Donoho, Ying (2006). A coefficient of a wedge with window w and n1 x n2 samples is
    c(m) = (n1 n2)^(-1/2) sum_k w(k) X(k) exp(2 pi i (k1 m1/n1 + k2 m2/n2)), X the unitary DFT of the image. The wedges
    opposite to those stored hold the complex conjugates.

    An object owns its work arrays and is not thread safe. Every image goes alone through the same plans: its
    coefficients have the same bits in a stack of any size.

    Examples
    --------
    >>> transform = CurveletTransform((64, 96))
    >>> image = np.random.default_rng(1).standard_normal((64, 96))
    >>> coefficients = transform.forward(image)
    >>> bool(np.allclose(transform.inverse(coefficients), image, rtol=0, atol=1e-13))
    True
    >>> transform.wedge(coefficients, scale=2, wedge=1).shape
    (20, 36)
    """

    def __init__(
        self,
        shape: tuple[int, int],
        n_scales: int | None = None,
        n_angles: int = 16,
        finest: str = "wavelets",
        sampling: str = "fast",
        dtype: npt.DTypeLike = np.float64,
        wisdom: Wisdom | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype={self.dtype}: needs float64 or float32")
        n_scales = default_scales(shape) if n_scales is None else n_scales
        self.geometry = Geometry(shape, n_scales, n_angles, finest, sampling)
        self.layout = layout_of(self.geometry)
        with Planner(wisdom) as planner:
            self._image = real_fourier(shape, self.dtype, planner)
            self._spectrum = self._image.spectrum
            self._parts = parts_of(self.geometry, self.layout, self.dtype, self._image, planner)
            self.wisdom = None if wisdom is None else planner.wisdom()

    def forward(self, image: Values, out: Values | None = None) -> Values:
        """Coefficients of an image, or of each image of a stack.

        Parameters
        ----------
        image : (..., ny, nx) array
        out : (..., n_values) array, optional
            For the result. A large new array costs about as much time as a tenth of the transform.

        Returns
        -------
        (..., n_values) array
            In the unit of the image and the order of ``layout``.

        Raises
        ------
        ValueError
            Where the images or ``out`` have another shape or type.
        """
        images = self._checked(image, self.layout.image_shape)
        stack, n_values = images.shape[:-2], self.layout.n_values
        coefficients: Values
        if out is None:
            # Each set of coefficients starts on a cache line.
            coefficients = empty((*stack, n_values + -n_values % 16), self.dtype)[..., :n_values]
        else:
            coefficients = self._checked_out(out, stack, n_values)
        for place in np.ndindex(stack):
            self.to_spectrum(images[place], self._spectrum)
            for chunk in self.layout.chunks:
                self.to_coefficients(self._spectrum, chunk, coefficients[place][chunk.start : chunk.stop])
        return coefficients

    def inverse(self, coefficients: Values, out: Values | None = None) -> Values:
        """Image of coefficients, or of each set of a stack: the adjoint of :meth:`forward`, and its inverse.

        Parameters
        ----------
        coefficients : (..., n_values) array
        out : (..., ny, nx) array, optional
            For the result.

        Returns
        -------
        (..., ny, nx) array
            In the unit of the coefficients.

        Raises
        ------
        ValueError
            Where the coefficients or ``out`` have another shape or type.
        """
        values = self._checked(coefficients, (self.layout.n_values,))
        stack = values.shape[:-1]
        images: Values = (
            empty((*stack, *self.layout.image_shape), self.dtype)
            if out is None
            else self._checked_out(out, stack, *self.layout.image_shape)
        )
        for place in np.ndindex(stack):
            one = np.ascontiguousarray(values[place], self.dtype)
            for chunk in reversed(self.layout.chunks):
                self.from_coefficients(one[chunk.start : chunk.stop], chunk, self._spectrum)
            self.to_image(self._spectrum, images[place])
        return images

    def wedge(self, coefficients: Values, scale: int, wedge: int) -> Values | ComplexValues:
        """View of one wedge's coefficients.

        Parameters
        ----------
        coefficients : (..., n_values) array
        scale, wedge : int
            Scale (1 = coarsest) and wedge within it, both from 1.

        Returns
        -------
        (..., n1, n2) array
            Complex, or real for the coarsest scale and the finest wavelets. Axis 0 belongs to axis 0 of the image.

        Raises
        ------
        ValueError
            Where there is no such wedge, or the coefficients have another length.
        """
        self._checked(coefficients, (self.layout.n_values,))
        record = self.layout.wedge(scale, wedge)
        values = coefficients[..., record.start : record.stop]
        shape = (*coefficients.shape[:-1], *record.shape)
        if record.is_real:
            return values.reshape(shape)
        return values.view(np.result_type(values.dtype, np.complex64)).reshape(shape)

    def reconstruct(self, image: Values, modes: int) -> Values:
        """Part of an image that its coarsest scales carry (the paper's fig. 1).

        Parameters
        ----------
        image : (..., ny, nx) array
        modes : int
            Scales kept, 1 to n_scales; all of them give the image again.

        Returns
        -------
        (..., ny, nx) array

        Raises
        ------
        ValueError
            Where ``modes`` is out of range.
        """
        if not 1 <= modes <= self.geometry.n_scales:
            raise ValueError(f"modes={modes}: needs 1 to {self.geometry.n_scales}, the number of scales")
        coefficients = self.forward(image)
        coefficients[..., self.layout.scale(modes).stop :] = 0
        return self.inverse(coefficients)

    # In steps, for work on one chunk of wedges at a time --------------------------------------------------------

    def empty_spectrum(self) -> ComplexValues:
        """Uninitialised array for the half spectrum of an image, (ny, nx // 2 + 1 or a few more) complex."""
        return self._image.empty_spectrum()

    def to_spectrum(self, image: Values, spectrum: ComplexValues) -> None:
        """Half spectrum of an image (ny, nx), into an array of `empty_spectrum`."""
        self._image.to_spectrum(aligned(image, self.dtype), spectrum)

    def to_coefficients(self, spectrum: ComplexValues, chunk: Chunk, values: Values | None = None) -> Values:
        """Coefficients of one chunk of wedges from a half spectrum, (chunk.stop - chunk.start,).

        Parameters
        ----------
        spectrum : array of `to_spectrum`
            The last chunk overwrites it where the finest scale is made of wavelets.
        chunk : Chunk
            One of ``layout.chunks``.
        values : array, optional
            For the result, a new one unless given; starts on a multiple of 16 bytes.
        """
        if values is None:
            values = empty((chunk.stop - chunk.start,), self.dtype)
        self._parts[chunk.number].to_coefficients(spectrum, values)
        return values

    def from_coefficients(self, values: Values, chunk: Chunk, spectrum: ComplexValues) -> None:
        """Add the coefficients of one chunk to a half spectrum; chunks come in descending order, the last one first.

        Parameters
        ----------
        values : (chunk.stop - chunk.start,) array
        chunk : Chunk
            One of ``layout.chunks``; the last of them sets the spectrum, whatever it held.
        spectrum : array of `empty_spectrum`
        """
        if chunk is self.layout.chunks[-1] and not self.geometry.is_real(self.geometry.n_scales):
            spectrum[...] = 0
        self._parts[chunk.number].from_coefficients(values, spectrum)

    def to_image(self, spectrum: ComplexValues, image: Values) -> None:
        """Image (ny, nx) from what `from_coefficients` has added up; the spectrum is overwritten."""
        # The wedges opposite to the stored ones have the conjugates at -k. Most frequencies of the half spectrum have
        # their opposite outside of it; the columns that hold both have got one half so far.
        opposite = -np.arange(spectrum.shape[0])
        for column in self_conjugate(self.layout.image_shape):
            spectrum[:, column] += spectrum[opposite, column].conj()
        with place_for(image) as place:
            self._image.to_image(spectrum, place)

    # Without coefficients: what is the same at all positions of a wedge -------------------------------------------

    def filter_of(self, factors: FloatArray) -> FloatArray:
        """Factors (ny, nx // 2 + 1) by which C^T diag(w) C multiplies a half spectrum, w (n_wedges,) one per wedge.

        Coefficients of a wedge are samples of a filtered image, dense enough that no frequency meets another: weighted
        alike and put together again they filter it twice, and nothing else.
        """
        ny, nx = self.layout.image_shape
        values = np.zeros(padded_spectrum((ny, nx)))
        first = 0
        for part, chunk in zip(self._parts, self.layout.chunks, strict=True):
            part.add_squares(factors[first : first + len(chunk.wedges)], values)
            first += len(chunk.wedges)
        for column in self_conjugate((ny, nx)):
            values[:, column] += values[-np.arange(ny), column]
        return values[:, : nx // 2 + 1]

    def inner_products(self, product: FloatArray, chunk: Chunk) -> FloatArray:
        """Inner products of the coefficients of two images in the wedges of a chunk, (n,), from their half spectra.

        ``product`` is the real part of one spectrum times the conjugate of the other, (ny, as `empty_spectrum`).
        Complex wedges count twice, for their opposite half.
        """
        return 2 / math.prod(self.layout.image_shape) * np.array(self._parts[chunk.number].squares_products(product))

    def _checked_out(self, out: Values, stack: tuple[int, ...], *tail: int) -> Values:
        # Plans write into it: rows that follow one another, and for an image nothing in between.
        whole = out[(0,) * len(stack)] if 0 not in stack else out
        if out.shape != (*stack, *tail) or out.dtype != self.dtype or not whole.flags.c_contiguous:
            raise ValueError(
                f"out: {out.dtype} array of shape {out.shape}: need {self.dtype} {(*stack, *tail)} without gaps"
            )
        return out

    @staticmethod
    def _checked(values: Values, tail: tuple[int, ...]) -> Values:
        values = np.asarray(values)
        if values.shape[-len(tail) :] != tail or np.iscomplexobj(values):
            needed = ", ".join(str(size) for size in tail)
            raise ValueError(f"given {values.dtype} array of shape {values.shape}: need real numbers (..., {needed})")
        return values
