"""Random images: white noise for the ensembles of perturbed images, and signs to probe matrices with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, Values

# Part of the generator's key: numbers must not change, or every ensemble changes with them.
KINDS = {"background": 0, "observation": 1, "signs": 2, "sample": 3, "held back": 4}

ENSEMBLES = ("background", "observation")
"""Kinds of perturbed members, in the order in which they are worked on."""

ALL_ROWS = slice(None)
IMAGES_OF_PART, IMAGES_OF_SAMPLE = 2**24, 2**32
"""White images that a part of a sample, and a sample, may be made of."""


def perturbation(
    shape: tuple[int, int],
    *,
    seed: int,
    time: datetime,
    kind: str,
    member: int,
    dtype: npt.DTypeLike = np.float64,
) -> Values:
    """Standard normal white noise of one member.

    A perturbed member minus its unperturbed image is ``sd * perturbation(...)``, with ``sd`` a number or an (ny, nx)
    map in m3 m-3.

    Parameters
    ----------
    shape : (ny, nx)
        Shape of the image.
    seed : int
        Of the experiment, 0 to 2^64 - 1.
    time : datetime
        Of the analysis, with a time zone; fractions of a second do not count.
    kind : str
        ``background`` or ``observation``: what is perturbed; ``sample`` for `Sample`, ``held back`` for the order in
        which cells are held back. (``signs`` are those of `random_signs`.)
    member : int
        Number of the member, from 0.
    dtype : dtype
        float64 or float32; the two draw other numbers.

    Returns
    -------
    (ny, nx) array
        Mean 0, variance 1. It depends on the arguments alone, never on who computes it or what was drawn before.

    Raises
    ------
    ValueError
        Where the kind is unknown, the time has no zone, or a number is out of range.

    Examples
    --------
    >>> noon = datetime(2022, 6, 1, 12, tzinfo=UTC)
    >>> noise = perturbation((2, 3), seed=1, time=noon, kind="background", member=0)
    >>> again = perturbation((2, 3), seed=1, time=noon, kind="background", member=0)
    >>> bool((noise == again).all())
    True
    """
    generator = _generator(seed, time, kind, member)
    if np.dtype(dtype) == np.float32:
        return generator.standard_normal(shape, np.float32)
    return generator.standard_normal(shape)


def random_signs(
    shape: tuple[int, int], *, seed: int, time: datetime, member: int, rows: slice = ALL_ROWS
) -> FloatArray:
    """Rows of a random image (ny, nx) of +1 and -1, which take a tenth of the time of normal numbers.

    To probe a matrix A with: E[v (A v)] is its diagonal (Hutchinson 1990). Other parameters and errors are those of
    `perturbation`.
    """
    n_pixels = math.prod(shape)
    drawn = _generator(seed, time, "signs", member).bytes(-(-n_pixels // 8))
    signs = np.unpackbits(np.frombuffer(drawn, np.uint8), count=n_pixels).reshape(shape)[rows].astype(np.float64)
    signs *= 2
    signs -= 1
    return signs


def _generator(seed: int, time: datetime, kind: str, member: int) -> np.random.Generator:
    """Of the numbers of one member."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: needs one of {tuple(KINDS)}")
    if time.utcoffset() is None:
        raise ValueError(f"time={time}: needs a time zone")
    for name, number in (("seed", seed), ("member", member)):
        if not 0 <= number < 2**64:
            raise ValueError(f"{name}={number}: needs 0 to 2**64 - 1")
    seconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    # Two words for each, so that no two keys are written alike; times before 1970 wrap round.
    key = np.array([seed, seconds % 2**64, KINDS[kind], member], dtype="<u8").view("<u4")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key.tolist())))


@dataclass(frozen=True)
class Sample:
    """Key of one sample of random errors, and the white noise that it is made of.

    Parameters
    ----------
    seed, time : as of `perturbation`
    number : of the sample, from 0
    first : number of its first white image
    of_signs : whether white images are of random signs, which have the same mean and variance; else of normal numbers
    """

    seed: int
    time: datetime
    number: int
    first: int = 0
    of_signs: bool = False

    def white(self, shape: tuple[int, int], image: int = 0, rows: slice = ALL_ROWS) -> FloatArray:
        """Rows of an image of variance 1, independent of those of other numbers and samples, the same on every rank."""
        member = self.number * IMAGES_OF_SAMPLE + self.first + image
        if self.of_signs:
            return random_signs(shape, seed=self.seed, time=self.time, member=member, rows=rows)
        noise = perturbation(shape, seed=self.seed, time=self.time, kind="sample", member=member)
        return noise.astype(np.float64, copy=False)[rows]

    def part(self, number: int) -> Sample:
        """Key of one of up to 256 independent parts of the sample."""
        return replace(self, first=number * IMAGES_OF_PART)
