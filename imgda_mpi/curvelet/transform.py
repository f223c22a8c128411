"""The curvelet transform of real images and its inverse, on the tables of :mod:`imgda_mpi.curvelet.windows`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyfftw

from imgda_mpi.curvelet.geometry import Geometry, default_scales
from imgda_mpi.curvelet.layout import Layout, Values, layout_of
from imgda_mpi.curvelet.windows import Window, window

ComplexArray = npt.NDArray[np.complexfloating[Any, Any]]


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
        shape = (int(shape[0]), int(shape[1]))
        self.geometry = Geometry(shape, default_scales(shape) if n_scales is None else n_scales, n_angles, finest, sampling)
        self.layout = layout_of(self.geometry)
        self._image = _RealPlan(shape, self.dtype)
        self._coarse = _RealPlan(self.layout.wedges[0].shape, self.dtype)
        self._make_tables()
        self._make_wedge_plans()

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
        return coefficients.reshape(*stack, -1) if coefficients.size else coefficients.reshape(*stack, self.layout.n_values)

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
