"""Error variances of curvelet coefficients from perturbed members, eq. 8."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import Values
from imgda_mpi.compiled import compiled

MEMBERS_PER_BLOCK = 5
"""Part of what the variance is, to the bit: members are taken together in blocks of this size, whoever does it."""


def member_blocks(n_members: int) -> list[range]:
    """Members of each block, in order.

    >>> member_blocks(7)
    [range(0, 5), range(5, 7)]
    """
    starts = range(0, n_members, MEMBERS_PER_BLOCK)
    return [range(first, min(first + MEMBERS_PER_BLOCK, n_members)) for first in starts]


@compiled
def add_member(moments: Values, values: Values, n_before: int) -> None:
    """Take the next member of a block into its moments.

    Parameters
    ----------
    moments : (2, n) array
        Mean of the block's members so far, m3 m-3, and sum of their squared differences from it, (m3 m-3)2; whatever
        it holds before the first member.
    values : (n,) array
        Coefficients of the member, m3 m-3.
    n_before : int
        Members of the block before this one.
    """
    mean, squares = moments[0], moments[1]
    if n_before == 0:
        mean[:] = values
        squares[:] = 0
        return
    # Welford's form: no difference of large sums, and never below zero.
    share = mean.dtype.type(1 / (n_before + 1))
    for i in range(mean.size):
        difference = values[i] - mean[i]
        mean[i] += difference * share
        squares[i] += difference * (values[i] - mean[i])


@compiled
def _add_block(mean: Values, squares: Values, moments: Values, n_before: int, n_block: int) -> None:
    n = n_before + n_block
    share = mean.dtype.type(n_block / n)
    both = mean.dtype.type(n_before * n_block / n)
    for i in range(mean.size):
        difference = moments[0, i] - mean[i]
        mean[i] += difference * share
        squares[i] += moments[1, i] + difference * difference * both


class SampleVariance:
    """Variance over ensemble members of each coefficient, eq. 8, from the moments of blocks of members.

    The moments of two sets of members give those of both (Chan, Golub, LeVeque 1983, Am. Stat. 37, 242). Blocks are
    added in their order, so that the bits depend neither on who computed a block's moments nor on which coefficients
    are held together. Memory grows with the coefficients held, ``n_values``, not with the members.

    Examples
    --------
    >>> variance, moments = SampleVariance(1, np.float64), np.empty((2, 1))
    >>> for n_before, value in enumerate([1.0, 2.0, 3.0]):
    ...     add_member(moments, np.array([value]), n_before)
    >>> variance.add(slice(0, 1), moments, n_before=0, n_block=3)
    >>> variance.result(3)
    array([1.])
    """

    def __init__(self, n_values: int, dtype: npt.DTypeLike) -> None:
        self._mean, self._squares = np.zeros(n_values, dtype), np.zeros(n_values, dtype)

    def add(self, part: slice, moments: Values, n_before: int, n_block: int) -> None:
        """Take in the next block of ``n_block`` members for some of the coefficients, ``n_before`` being in already.

        The moments (2, n) of the block are those of `add_member`.
        """
        _add_block(self._mean[part], self._squares[part], moments, n_before, n_block)

    def result(self, n_members: int) -> Values:
        """Sample variance (n_values,) of each value after all members, divisor N - 1, (m3 m-3)2.

        The real and the imaginary part of a complex coefficient have each their own. ValueError with fewer than 2
        members.
        """
        if n_members < 2:
            raise ValueError(f"{n_members} members: a variance needs at least 2")
        variance: Values = self._squares / self._squares.dtype.type(n_members - 1)
        return variance
