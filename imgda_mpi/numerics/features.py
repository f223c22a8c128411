"""Features of cells: properties in which two places can be alike, and their errors with them.

A group of features is a sparse matrix (n_cells, n_features), the cells of an image row by row: what part of a cell is
of each class, or how near a value is to each of several knots. Rows of cells sum to the number of properties that the
group has of them: 1 for most groups.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.sparse import coo_array, csr_array

Groups = Mapping[str, csr_array]
"""Groups of features by their names."""

N_KNOTS = 5
"""Hat functions of a property of soil or terrain, or of a map of values."""


def hat_functions(values: FloatArray, n_knots: int) -> csr_array:
    """Hat functions of a value, at its quantiles: (n, k) with at most ``n_knots`` columns.

    Piecewise linear functions are their sums. ``values`` are (n,), in any unit, NaN where there is none: such rows are
    0. Quantiles that are equal count once, and values that are all the same have one feature.

    Examples
    --------
    >>> hat_functions(np.array([0.0, 1.0, 4.0]), 2).toarray().tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    known = np.isfinite(values)
    if not known.any():
        return csr_array((values.size, 0))
    knots = np.unique(np.quantile(values[known], np.linspace(0, 1, n_knots)))
    # Position among the knots: its whole part is the knot below, the rest the weight of the one above.
    position = np.interp(values[known], knots, np.arange(knots.size))
    below = np.minimum(position.astype(np.int64), max(knots.size - 2, 0))
    rows, above = np.flatnonzero(known), position - below
    weights = np.concatenate([1 - above, above])
    columns = np.concatenate([below, np.minimum(below + 1, knots.size - 1)])
    return _matrix(np.tile(rows, 2), columns, weights, (values.size, knots.size))


def class_members(classes: IntArray) -> csr_array:
    """Which of the classes that occur each element is of: (n, n_classes) from (n,).

    >>> class_members(np.array([7, 2, 7])).toarray().tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    there, column = np.unique(classes, return_inverse=True)
    return _matrix(np.arange(classes.size), column, np.ones(classes.size), (classes.size, there.size))


def cell_means(features: csr_array, cell: IntArray, weight: FloatArray, n_cells: int) -> csr_array:
    """Features of cells from those (n, k) of what lies in them, weighted by area: (n_cells, k).

    ``cell`` (n,) is the number of each element's cell, ``weight`` (n,) its area, in any unit. Elements without features
    do not count.
    """
    weight = np.where(np.diff(features.indptr) > 0, weight, 0.0)
    total = np.bincount(cell, weight, n_cells)[cell]
    part = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return csr_array(_matrix(cell, np.arange(cell.size), part, (n_cells, cell.size)) @ features)


def embed_cells(features: csr_array, shape: tuple[int, int], larger: tuple[int, int]) -> csr_array:
    """The same for the cells of a larger image with the given one of ``shape`` in its top left corner."""
    (ny, nx), entries = shape, features.tocoo()
    if features.shape[0] != ny * nx:
        raise ValueError(f"features of {features.shape[0]} cells, expected those of an image of {ny} x {nx}")
    row, column = np.divmod(entries.row, nx)
    return _matrix(row * larger[1] + column, entries.col, entries.data, (larger[0] * larger[1], features.shape[1]))


SMALLEST_FACTOR, LARGEST_FACTOR = 0.02, 3.0
"""By which the variance of a group of features changes at most in a step towards the most likely one."""

PRIOR_FEATURES = 2.0
"""Features' worth of information that a group needs to count as much as the belief that it has no variance."""


def likelier_group_variances(
    variances: FloatArray, weighted: FloatArray, expected: FloatArray, n_features: IntArray
) -> FloatArray:
    """One step of the variances of groups of features towards the most likely ones.

    Parameters
    ----------
    variances : b_g so far, (n_groups,) (m3 m-3)2, the shape and unit of what comes back
    weighted : |Z_g^T z|^2 with the features Z_g of a group and z = M^-1 d, of the innovation d and its covariance M =
        H S H^T + R, (n_groups,) (m3 m-3)-2
    expected : of them if ``variances`` are right, trace(Z_g^T M^-1 Z_g), (n_groups,) (m3 m-3)-2
    n_features : of each group, (n_groups,)

    Notes
    -----
    b_g ``weighted`` / ``expected`` is most likely where it stands still (Harville 1977, J. Am. Stat. Assoc. 72, 320).
    It is drawn to 0 the more the less is known of it: with the part v = b_g ``expected`` / n of its n features that
    noise does not hide, by n v^2 / (n v^2 + `PRIOR_FEATURES`). A group without a signal is soon without a variance.

    Examples
    --------
    >>> likelier_group_variances(np.array([1.0]), np.array([2.0]), np.array([4.0]), np.array([4])).round(3).tolist()
    [0.333]
    """
    factor = np.divide(weighted, expected, out=np.full_like(weighted, LARGEST_FACTOR), where=expected > 0)
    information = n_features * np.clip(variances * expected / n_features, 0.0, 1.0) ** 2
    known = information / (information + PRIOR_FEATURES)
    return np.asarray(variances * known * np.clip(factor, SMALLEST_FACTOR, LARGEST_FACTOR))


def _matrix(rows: IntArray, columns: IntArray, weights: FloatArray, shape: tuple[int, int]) -> csr_array:
    matrix = csr_array(coo_array((weights, (rows, columns)), shape=shape))
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
