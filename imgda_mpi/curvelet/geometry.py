"""How the frequency plane is cut: level lengths, sectors, and the grid on which each wedge is sampled.

Candes, Demanet, Donoho, Ying (2006), Multiscale Model. Simul. 5, 861. Lengths are kept as fractions, so that no
rounding error decides the size of an array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from imgda_mpi.grid import SMALLEST

LEAST_ANGLES = 8

WEDGES_OF_FREQUENCY = 4
"""Wedges that have a frequency in their windows, at most: those of two scales and of neighbouring directions."""


@dataclass(frozen=True)
class Sector:
    """The directions of one wedge, in the half plane p > 0.

    The wedge looks along ``axis`` (0: against k1, 1: along k2). There, p is the frequency along the wedge and s the
    one across it, and an angle is that of (p, s) after each is divided by its radius.

    Attributes
    ----------
    axis : int
        Axis of the image that p belongs to.
    per_side : int
        Wedges on one side of the square, ``nd``.
    low, middle, high : float
        Angles in radians: the window rises from ``low`` to ``middle`` and falls to zero at ``high``.
    """

    axis: int
    per_side: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Geometry:
    """The cutting of the frequency plane for one image shape.

    Parameters are those of `CurveletTransform`, which says what each has to be. Scale 1 is the coarsest.

    Raises
    ------
    ValueError
        Where one of them does not hold.
    """

    shape: tuple[int, int]
    n_scales: int
    n_angles: int
    finest: str
    sampling: str

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < SMALLEST:
            raise ValueError(f"shape={self.shape}: needs two sizes of at least {SMALLEST}")
        if self.n_scales < 2:
            raise ValueError(f"n_scales={self.n_scales}: needs at least 2, a coarse and a finest scale")
        if self.n_angles < LEAST_ANGLES or self.n_angles % 4:
            raise ValueError(
                f"n_angles={self.n_angles}: needs a multiple of 4, at least {LEAST_ANGLES}: each side of the square of "
                "frequencies is cut into n_angles/4 wedges, and a single wedge would meet its own alias"
            )
        for name, given, known in (
            ("finest", self.finest, ("wavelets", "curvelets")),
            ("sampling", self.sampling, ("fast", "reference")),
        ):
            if given not in known:
                raise ValueError(f"{name}={given!r}: needs one of {known}")
        # Before anything of so many is made.
        most = max(self.shape).bit_length()
        while most > 2 and self._most_angles(most) < min(self.n_angles, LEAST_ANGLES):
            most -= 1
        if self.n_scales > most:
            raise ValueError(f"n_scales={self.n_scales}: needs at most {most}, beyond which wedges have no frequencies")
        if self.n_angles > self._most_angles(self.n_scales):
            raise ValueError(
                f"n_angles={self.n_angles}: needs at most {self._most_angles(self.n_scales)} with "
                f"n_scales={self.n_scales}, beyond which wedges have no frequencies"
            )

    def _most_angles(self, n_scales: int) -> int:
        """Wedges at the second coarsest of so many scales, beyond which a scale has fewer frequencies than wedges.

        A frequency is in the windows of a few wedges.
        """
        scales = range(2, n_scales + (self.finest == "curvelets"))
        sizes = [math.prod(4 * n / (3 * 2 ** (n_scales - scale)) for n in self.shape) for scale in scales]
        wedges = [
            int(WEDGES_OF_FREQUENCY * size / 2) >> (scale - 1) // 2 for scale, size in zip(scales, sizes, strict=True)
        ]
        return min((2 * n // 4 * 4 for n in wedges), default=4 * max(self.shape))

    def is_real(self, scale: int) -> bool:
        """Whether the scale is one real array: the coarsest, and the finest where it is made of wavelets."""
        return scale == 1 or (scale == self.n_scales and self.finest == "wavelets")

    def n_wedges(self, scale: int) -> int:
        """Stored wedges of a scale. The opposite half holds their complex conjugates."""
        return 1 if self.is_real(scale) else 2 * self._per_side(scale)

    def length(self, scale: int, axis: int) -> Fraction:
        """Width of the square of frequencies of a scale along an axis, L; its radius is R = L/2."""
        return Fraction(4 * self.shape[axis], 3 * 2 ** (self.n_scales - scale))

    def sector(self, scale: int, wedge: int) -> Sector:
        """Directions of a wedge of a complex scale, numbered from 1."""
        nd = self._per_side(scale)
        axis, place = divmod(wedge - 1, nd)
        w = nd - 1 - place
        # Next to a corner of the square the angle ends inside the neighbouring side.
        low = math.atan2(-1, 1 - 1 / nd) if w == 0 else math.atan2(-1 + (2 * w - 1) / nd, 1)
        high = math.atan2(1, 1 - 1 / nd) if w == nd - 1 else math.atan2(-1 + (2 * w + 3) / nd, 1)
        return Sector(axis, nd, low, math.atan2(-1 + (2 * w + 1) / nd, 1), high)

    def box_shape(self, scale: int, wedge: int) -> tuple[int, int]:
        """Shape (n1, n2) of the coefficients of a wedge."""
        if scale == 1:
            sizes = [2 * math.floor(self.length(1, axis) / 2) + 1 for axis in (0, 1)]
        elif self.is_real(scale):
            return self.shape
        else:
            nd = self._per_side(scale)
            along = (wedge - 1) // nd
            sizes = [0, 0]
            # The next odd numbers.
            sizes[along] = math.ceil(self.length(scale, along) * (Fraction(3, 8) + Fraction(1, 8 * nd))) | 1
            sizes[1 - along] = math.ceil(2 * self.length(scale, 1 - along) / nd) | 1
        if self.sampling == "fast":
            sizes = [_fast(size) for size in sizes]
        return sizes[0], sizes[1]

    def _per_side(self, scale: int) -> int:
        """Wedges on one side of the square, nd: it doubles at every second scale."""
        return (self.n_angles // 4) << ((scale - 1) // 2)


def default_scales(shape: tuple[int, int]) -> int:
    """Scales of an image unless given: ceil(log2(min(ny, nx)) - 3).

    >>> default_scales((128, 256))
    4
    """
    # (n - 1).bit_length() is ceil(log2(n)) without a logarithm that may round up.
    return (min(shape) - 1).bit_length() - 3


def _fast(size: int) -> int:
    """The smallest multiple of 4 without prime factors above 7 that is at least ``size``.

    >>> [_fast(n) for n in (13, 43, 67, 131)]
    [16, 48, 72, 140]
    """
    while True:
        size += -size % 4
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
