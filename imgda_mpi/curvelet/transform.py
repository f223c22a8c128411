"""The curvelet transform of real images and its inverse, on the tables of :mod:`imgda_mpi.curvelet.windows`."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyfftw

from imgda_mpi.arrays import IntArray, Values
from imgda_mpi.curvelet.geometry import Geometry, default_scales
from imgda_mpi.curvelet.layout import layout_of
from imgda_mpi.curvelet.windows import window

ComplexValues = npt.NDArray[np.complexfloating[Any, Any]]


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

    Attributes
    ----------
    layout : Layout
        Where each wedge lies in the flat array of coefficients.
    geometry : Geometry
        How the frequency plane is cut.

    Raises
    ------
    ValueError
        Where an argument does not hold, or a wedge would hold no frequency at all.

    Notes
    -----
    Candes, Demanet, Donoho, Ying (2006). A coefficient of a wedge with window w and n1 x n2 samples is
    c(m) = (n1 n2)^(-1/2) sum_k w(k) X(k) exp(2 pi i (k1 m1/n1 + k2 m2/n2)), X the unitary DFT of the image. The wedges
    opposite to those stored hold the complex conjugates.

    An object owns its work arrays and is not thread safe. Every image goes alone through the same plans, made without
    timing: its coefficients have the same bits in a stack of any size.

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
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype={self.dtype}: needs float64 or float32")
        n_scales = default_scales(shape) if n_scales is None else n_scales
        self.geometry = Geometry(shape, n_scales, n_angles, finest, sampling)
        self.layout = layout_of(self.geometry)
        self._image = _RealTransform(shape, self.dtype)
        self._make_coarse()
        self._make_wedges()
        self._make_finest()

    def forward(self, image: Values) -> Values:
        """Coefficients of an image, or of each image of a stack.

        Parameters
        ----------
        image : (..., ny, nx) array

        Returns
        -------
        (..., n_values) array
            In the unit of the image and the order of ``layout``.

        Raises
        ------
        ValueError
            Where the images have another shape or are complex.
        """
        images = self._checked(image, self.layout.image_shape)
        stack = images.shape[:-2]
        coefficients = np.empty((math.prod(stack), self.layout.n_values), self.dtype)
        for one, values in zip(images.reshape(-1, *self.layout.image_shape), coefficients, strict=True):
            self._forward_one(one, values)
        return coefficients.reshape(*stack, self.layout.n_values)

    def inverse(self, coefficients: Values) -> Values:
        """Image of coefficients, or of each set of a stack: the adjoint of :meth:`forward`, and its inverse.

        Parameters
        ----------
        coefficients : (..., n_values) array

        Returns
        -------
        (..., ny, nx) array
            In the unit of the coefficients.

        Raises
        ------
        ValueError
            Where the coefficients have another length or are complex.
        """
        values = self._checked(coefficients, (self.layout.n_values,))
        stack = values.shape[:-1]
        images = np.empty((math.prod(stack), *self.layout.image_shape), self.dtype)
        for one, image in zip(values.reshape(-1, self.layout.n_values), images, strict=True):
            self._inverse_one(one, image)
        return images.reshape(*stack, *self.layout.image_shape)

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

    def _forward_one(self, image: Values, values: Values) -> None:
        spectrum = self._image.spectrum
        self._image.image[...] = image
        self._image.to_spectrum()

        coarse = self._coarse
        coarse.spectrum[...] = 0  # the last FFT from it has overwritten it
        coarse.spectrum[self._coarse_to] = spectrum[self._coarse_from] * self._coarse_weight
        coarse.to_image()
        values[: coarse.image.size] = coarse.image.ravel()

        # mode="clip" because "raise" would go through a buffer; every index is in range.
        np.take(spectrum.ravel(), self._source, out=self._boxes, mode="clip")
        self._box_values *= self._weight
        for plan in self._boxes_to_coefficients:
            plan.execute()
        values[self.layout.complex_part] = self._box_values

        if self._finest_weight is not None:
            spectrum *= self._finest_weight
            self._image.to_image()
            values[self.layout.scale(self.geometry.n_scales)] = self._image.image.ravel()

    def _inverse_one(self, values: Values, image: Values) -> None:
        spectrum = self._image.spectrum
        if self._finest_weight is None:
            spectrum[...] = 0
        else:
            self._image.image[...] = values[self.layout.scale(self.geometry.n_scales)].reshape(self.layout.image_shape)
            self._image.to_spectrum()
            spectrum *= self._finest_weight

        self._box_values[...] = values[self.layout.complex_part]
        for plan in self._coefficients_to_boxes:
            plan.execute()
        self._box_values *= self._weight
        spectrum += self._sum_of_boxes()

        coarse = self._coarse
        coarse.image[...] = values[: coarse.image.size].reshape(coarse.image.shape)
        coarse.to_spectrum()
        spectrum[self._coarse_from] += coarse.spectrum[self._coarse_to] * self._coarse_weight

        self._image.to_image()
        image[...] = self._image.image

    def _sum_of_boxes(self) -> ComplexValues:
        """Spectrum, (ny, nx // 2 + 1), of the stored wedges and their opposites together."""
        shape = self._image.spectrum.shape
        # Many frequencies of the boxes, and aliases of the finest curvelets, share a target.
        real, imaginary = (
            np.bincount(self._source, self._box_values[part::2], minlength=math.prod(shape)) for part in (0, 1)
        )
        total: ComplexValues = (real + 1j * imaginary).reshape(shape)
        # The opposite wedge has the conjugate at -k. For most k only one of k and -k is in the half spectrum, and all
        # of it is already there; the self-conjugate columns hold both.
        opposite = -np.arange(shape[0])
        for column in (0,) if self.layout.image_shape[1] % 2 else (0, shape[1] - 1):
            total[:, column] += total[opposite, column].conj()
        return total

    def _make_coarse(self) -> None:
        self._coarse = _RealTransform(self.layout.wedges[0].shape, self.dtype)
        low = window(self.geometry, 1, 1)
        half = low.columns >= 0
        self._coarse_from, self._coarse_to = (
            np.ix_(low.rows % size, low.columns[half])
            for size in (self.layout.image_shape[0], self._coarse.image.shape[0])
        )
        norm = math.sqrt(self._image.image.size * self._coarse.image.size)
        self._coarse_weight = (low.weight[:, half] / norm).astype(self.dtype)

    def _make_wedges(self) -> None:
        """Table from the half spectrum to the boxes of all complex wedges, and the plans of their FFTs.

        Box value i is ``spectrum[source[i]]`` with its real and imaginary part multiplied by ``weight[2 i]`` and
        ``weight[2 i + 1]``: the second is negative where the frequency lies in the half that is not stored.
        """
        stored = [wedge for wedge in self.layout.wedges if not wedge.is_real]
        n_boxes = sum(math.prod(wedge.shape) for wedge in stored)
        self._boxes = pyfftw.empty_aligned(n_boxes, np.result_type(self.dtype, np.complex64))
        self._box_values = self._boxes.view(self.dtype)
        self._source = np.zeros(n_boxes, np.intp)
        self._weight = np.zeros(2 * n_boxes, self.dtype)
        offset = 0
        for wedge in stored:
            part = window(self.geometry, wedge.scale, wedge.number)
            row, column = np.nonzero(part.weight)
            if not row.size:
                raise ValueError(
                    f"n_scales={self.geometry.n_scales}, n_angles={self.geometry.n_angles}: wedge {wedge.number} of "
                    f"scale {wedge.scale} holds no frequency of a {self.layout.image_shape} image; take fewer"
                )
            k1, k2 = part.rows[row], part.columns[column]
            place = offset + (k1 % wedge.shape[0]) * wedge.shape[1] + k2 % wedge.shape[1]
            self._source[place], sign = _half_spectrum(k1, k2, self.layout.image_shape)
            norm = math.sqrt(self._image.image.size * math.prod(wedge.shape))
            self._weight[2 * place] = part.weight[row, column] / norm
            self._weight[2 * place + 1] = sign * part.weight[row, column] / norm
            offset += math.prod(wedge.shape)
        self._make_wedge_plans([wedge.shape for wedge in stored])

    def _make_wedge_plans(self, shapes: list[tuple[int, int]]) -> None:
        """FFTs in place of the boxes; neighbours of one shape go through one plan."""
        self._boxes_to_coefficients, self._coefficients_to_boxes = [], []
        offset = 0
        for shape, group in groupby(shapes):
            batch = (len(list(group)), *shape)
            boxes = self._boxes[offset : offset + math.prod(batch)].reshape(batch)
            offset += boxes.size
            self._boxes_to_coefficients.append(_plan(boxes, boxes, (1, 2), "FFTW_BACKWARD"))
            self._coefficients_to_boxes.append(_plan(boxes, boxes, (1, 2), "FFTW_FORWARD"))

    def _make_finest(self) -> None:
        """Window of the finest wavelets on the half spectrum, (ny, nx // 2 + 1); none for curvelets."""
        self._finest_weight: Values | None = None
        if not self.geometry.is_real(self.geometry.n_scales):
            return
        high = window(self.geometry, self.geometry.n_scales, 1)
        half = high.columns <= 0  # the window is even, and on an even grid the Nyquist frequency is negative
        self._finest_weight = np.empty(self._image.spectrum.shape, self.dtype)
        self._finest_weight[np.ix_(high.rows, -high.columns[half])] = high.weight[:, half] / self._image.image.size

    @staticmethod
    def _checked(values: Values, tail: tuple[int, ...]) -> Values:
        values = np.asarray(values)
        if values.shape[-len(tail) :] != tail or np.iscomplexobj(values):
            needed = ", ".join(str(size) for size in tail)
            raise ValueError(f"given {values.dtype} array of shape {values.shape}: need real numbers (..., {needed})")
        return values


class _RealTransform:
    """Unnormalised FFTs between a real array and its half spectrum, each in a work array of its own."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.image = pyfftw.empty_aligned(shape, dtype)
        self.spectrum = pyfftw.empty_aligned((shape[0], shape[1] // 2 + 1), np.result_type(dtype, np.complex64))
        self._forward = _plan(self.image, self.spectrum, (0, 1), "FFTW_FORWARD")
        self._backward = _plan(self.spectrum, self.image, (0, 1), "FFTW_BACKWARD")

    def to_spectrum(self) -> None:
        self._forward.execute()

    def to_image(self) -> None:
        """``image`` from ``spectrum``, which is overwritten."""
        self._backward.execute()


def _plan(source: Any, target: Any, axes: tuple[int, int], direction: str) -> Any:
    # Estimated, never timed: the choice of algorithm, and so every bit of the result, depends on the shapes alone.
    return pyfftw.FFTW(source, target, axes=axes, direction=direction, flags=("FFTW_ESTIMATE",), threads=1)


def _half_spectrum(k1: IntArray, k2: IntArray, shape: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Place of frequencies in the flat half spectrum of a real image, and -1 where their conjugate stands there."""
    ny, nx = shape
    mirrored = k2 % nx > nx // 2
    row = np.where(mirrored, -k1, k1) % ny
    column = np.where(mirrored, -k2, k2) % nx
    return row * (nx // 2 + 1) + column, np.where(mirrored, -1, 1)
