"""Where each wedge lies in the flat array of coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from imgda_mpi.arrays import Values
from imgda_mpi.curvelet.geometry import Geometry

CHUNK = 2**16  # values
PIECE = 2**14  # values; even, so that no complex number is divided


@dataclass(frozen=True)
class Wedge:
    """One wedge's place in the flat array.

    Attributes
    ----------
    scale, number : int
        Scale (1 = coarsest) and wedge within it, both from 1.
    shape : (n1, n2)
        Shape of its coefficients.
    is_real : bool
        Real coefficients; otherwise complex ones, stored as real part, imaginary part, real part, ...
    start, stop : int
        ``values[start:stop]`` are its coefficients, n1 n2 values or twice as many.
    """

    scale: int
    number: int
    shape: tuple[int, int]
    is_real: bool
    start: int
    stop: int


@dataclass(frozen=True)
class Piece:
    """Up to 16,384 values ``start:stop`` of a wedge in the flat array: what statistics add up, and never divided."""

    wedge: Wedge
    start: int
    stop: int


@dataclass(frozen=True)
class Chunk:
    """Neighbouring wedges that are worked on together: few enough to stay in the cache, or a single large one.

    Chunks are numbered from 0.
    """

    number: int
    wedges: tuple[Wedge, ...]

    @property
    def start(self) -> int:
        """Place of its first value in the flat array."""
        return self.wedges[0].start

    @property
    def stop(self) -> int:
        """Place after its last value."""
        return self.wedges[-1].stop

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Its pieces, in order."""
        return tuple(
            Piece(wedge, start, min(start + PIECE, wedge.stop))
            for wedge in self.wedges
            for start in range(wedge.start, wedge.stop, PIECE)
        )


@dataclass(frozen=True)
class Layout:
    """Order of the coefficients: coarse real values, complex wedges, and finest real values if there are any.

    Attributes
    ----------
    image_shape : (ny, nx)
        Shape of the image.
    wedges : tuple of Wedge
        Without gaps, by scale and then by number.
    """

    image_shape: tuple[int, int]
    wedges: tuple[Wedge, ...]

    @property
    def n_values(self) -> int:
        """Real numbers in the flat array."""
        return self.wedges[-1].stop

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """All wedges, in their order, in chunks of up to 65,536 values; the finest wavelets are one of their own."""
        chunks: list[list[Wedge]] = []
        for wedge in self.wedges:
            alone = not chunks or (wedge.is_real and wedge.scale > 1)
            if alone or wedge.stop - chunks[-1][0].start > CHUNK:
                chunks.append([])
            chunks[-1].append(wedge)
        return tuple(Chunk(number, tuple(wedges)) for number, wedges in enumerate(chunks))

    def wedge(self, scale: int, number: int) -> Wedge:
        """Record of a wedge; ValueError where the layout has no such wedge."""
        for wedge in self.wedges:
            if (wedge.scale, wedge.number) == (scale, number):
                return wedge
        raise ValueError(f"scale={scale}, wedge={number}: not among the {len(self.wedges)} wedges of this layout")

    def scale(self, scale: int) -> slice:
        """Slice of the flat array that holds a scale; ValueError where the layout has no wedge of this scale."""
        members = [wedge for wedge in self.wedges if wedge.scale == scale]
        if not members:
            raise ValueError(f"scale={scale}: this layout has {sorted({wedge.scale for wedge in self.wedges})}")
        return slice(members[0].start, members[-1].stop)

    def join_parts(self, squares: Values, start: int = 0) -> Values:
        """Sum of what the two slots of a complex coefficient hold, in both slots; in place.

        Parameters
        ----------
        squares : (..., n) array
            The values ``start:start + n`` of the flat array, with both slots of every complex coefficient in it.
            The same array is returned.
        """
        first, last = (min(max(end - start, 0), squares.shape[-1]) for end in self._complex_part)
        real_part, imaginary_part = (squares[..., first + slot : last : 2] for slot in (0, 1))
        real_part += imaginary_part
        imaginary_part[...] = real_part
        return squares

    @cached_property
    def _complex_part(self) -> tuple[int, int]:
        """Start and stop of the complex wedges, equal where there are none."""
        stored = [wedge for wedge in self.wedges if not wedge.is_real]
        return (stored[0].start, stored[-1].stop) if stored else (0, 0)


def layout_of(geometry: Geometry) -> Layout:
    """Layout of all wedges of a geometry."""
    wedges: list[Wedge] = []
    start = 0
    for scale in range(1, geometry.n_scales + 1):
        is_real = geometry.is_real(scale)
        for number in range(1, geometry.n_wedges(scale) + 1):
            shape = geometry.box_shape(scale, number)
            stop = start + math.prod(shape) * (1 if is_real else 2)
            wedges.append(Wedge(scale, number, shape, is_real, start, stop))
            start = stop
    return Layout(geometry.shape, tuple(wedges))
