"""Features of the cells of an image that is shared out among ranks by rows."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.fourier import length_of
from imgda_mpi.numerics.features import Groups
from imgda_mpi.numerics.pyramid import Image
from imgda_mpi.sparse import csc_array, csr_array, hstack


class CellFeatures:
    """The matrix Z (n_cells, n_features) of all groups of features, each less its mean over the land; 0 off the land.

    Less their means features say where places differ; what is the same everywhere is left to other errors. Sums go
    block by block of rows, in their order, so that their bits do not depend on the number of ranks.

    Parameters
    ----------
    image_rows : ImageRows
    groups : of the whole image, the same on every rank
    land : (ny, nx)

    Attributes
    ----------
    names : of the groups
    counts : features of each group, (n_groups,)
    group : (n_features,) number of the group of each feature
    cells : of the land, or of the observed land, by their numbers in each own block of rows
    n_land : cells that are land, 1 at least
    mean_squares : mean over the land of the diagonal of Z_g Z_g^T, (n_groups,)
    """

    def __init__(self, image_rows: ImageRows, groups: Groups, land: BoolArray) -> None:
        self.names, every = list(groups), list(groups.values())
        self.counts: IntArray = np.array([one.shape[1] for one in every])
        self.group: IntArray = np.repeat(np.arange(len(every)), self.counts)
        self.image_rows, on_land = image_rows, land.ravel()
        self.n_land, ones = max(int(np.count_nonzero(on_land)), 1), on_land.astype(np.float64)
        self._means = np.concatenate([one.T @ ones for one in every]) / self.n_land
        squares = np.concatenate([one.power(2).T @ ones for one in every]) / self.n_land - self._means**2
        self.mean_squares = np.bincount(self.group, np.maximum(squares, 0.0), len(self.names))
        first, nx = image_rows.own.start, land.shape[1]
        self.cells: dict[int, IntArray] = {}
        self._of_land: dict[int, csr_array] = {}
        for number, block in image_rows.own_blocks.items():
            inside = slice((first + block.start) * nx, (first + block.stop) * nx)
            self.cells[number] = np.flatnonzero(on_land[inside])
            self._of_land[number] = csr_array(hstack([one[inside][self.cells[number]] for one in every]))
        self._transposed = _views(self._of_land)

    def within(self, observed: BoolArray) -> CellFeatures:
        """H Z: the same on observed cells (n_own, nx), 0 on all others. Not collective."""
        other, blocks = copy(self), self.image_rows.own_blocks
        seen = {number: observed[blocks[number]].ravel()[land] for number, land in self.cells.items()}
        other.cells = {number: land[seen[number]] for number, land in self.cells.items()}
        other._of_land = {number: matrix[np.flatnonzero(seen[number])] for number, matrix in self._of_land.items()}
        other._transposed = _views(other._of_land)
        return other

    def of(self, rows: FloatArray) -> FloatArray:
        """Z^T x (n_features,) of an image's own rows (n_own, nx). Collective; the same on every rank."""
        parts = {}
        for number, transposed in self._transposed.items():
            values = self._in_block(rows, number)
            parts[number] = transposed @ values - self._means * values.sum()
        return self.image_rows.total(parts, self.group.shape)

    def group_products(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Of the features of two images' own rows (n_own, nx): sums of (Z^T a)(Z^T b) by group. Collective."""
        return np.asarray(np.bincount(self.group, self.of(a) * self.of(b), len(self.names)), np.float64)

    def products(self) -> FloatArray:
        """Z^T Z, (n_features, n_features). Collective; the same on every rank."""
        parts = {}
        for number, matrix in self._of_land.items():
            sums = np.outer(matrix.sum(axis=0), self._means)
            squares = matrix.shape[0] * np.outer(self._means, self._means)
            parts[number] = (self._transposed[number] @ matrix).toarray() - sums - sums.T + squares
        return self.image_rows.total(parts, (self.group.size, self.group.size))

    def columns(self) -> dict[int, Image]:
        """Z^T of the own cells, (n_features, n) for each block of rows. Not collective."""
        return {
            number: np.ascontiguousarray((matrix.toarray() - self._means).T, np.float32)
            for number, matrix in self._of_land.items()
        }

    def products_with(self, columns: Mapping[int, Image]) -> FloatArray:
        """Z^T X, (n_features, n_features), of images X as `columns` has them. Collective; the same on every rank."""
        parts = {}
        for number, transposed in self._transposed.items():
            values = columns[number].T.astype(np.float64)
            parts[number] = transposed @ values - np.outer(self._means, values.sum(axis=0))
        return self.image_rows.total(parts, (self.group.size, self.group.size))

    def spread(self, weights: FloatArray) -> FloatArray:
        """Z v, own rows (n_own, nx), of weights v (n_features,). Not collective."""
        rows = np.zeros((length_of(self.image_rows.own), self.image_rows.shape[1]))
        self.add(rows, weights)
        return rows

    def add(self, rows: FloatArray, weights: FloatArray) -> None:
        """Add Z v of weights v (n_features,) to own rows (n_own, nx). Not collective."""
        mean = self._means @ weights
        for number, block in self.image_rows.own_blocks.items():
            rows[block].reshape(-1)[self.cells[number]] += self._of_land[number] @ weights - mean

    def squares(self, weights: FloatArray) -> FloatArray:
        """Diagonal of Z diag(v) Z^T, own rows (n_own, nx), of weights v (n_features,). Not collective."""
        means, of_means = weights * self._means, self._means @ (weights * self._means)
        rows = np.zeros((length_of(self.image_rows.own), self.image_rows.shape[1]))
        for number, block in self.image_rows.own_blocks.items():
            matrix = self._of_land[number]
            of_block = matrix.power(2) @ weights - 2 * (matrix @ means) + of_means
            rows[block].reshape(-1)[self.cells[number]] = of_block
        return rows

    def _in_block(self, rows: FloatArray, number: int) -> FloatArray:
        return np.asarray(rows[self.image_rows.own_blocks[number]].ravel()[self.cells[number]])


def _views(matrices: Mapping[int, csr_array]) -> dict[int, csc_array]:
    """Their transposes, of the same memory: to make one takes as long as a product of a block."""
    return {number: matrix.T for number, matrix in matrices.items()}
