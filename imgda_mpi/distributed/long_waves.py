"""The longest waves of images that are shared out among ranks by rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.numerics.pyramid import Image
from imgda_mpi.numerics.wave_kriging import Amplitudes


class LongWaves:
    """Waves exp(2 pi i (j y / ny + k x / nx)) with j from -m to m and k from 0 to n.

    They are few, so that products with tables of them take less than an FFT, and only the amplitudes go from rank to
    rank. Products are of one block of rows each: so no bit depends on how many ranks there are. In single precision.

    Parameters
    ----------
    image_rows : of images (ny, nx)
    limits : m, n
    """

    def __init__(self, image_rows: ImageRows, limits: tuple[int, int]) -> None:
        (ny, nx), (m, n) = image_rows.shape, limits
        self._image_rows, self.limits = image_rows, limits
        own = np.arange(image_rows.own.start, image_rows.own.stop)
        self._along = _waves(np.arange(-m, m + 1), own, ny).astype(np.complex64)
        across = _waves(np.arange(n + 1), np.arange(nx), nx).astype(np.complex64)
        # Real and imaginary parts by turns, as numbers of the amplitudes have them: (nx, 2 n + 2).
        self._across = np.ascontiguousarray(across.T).view(np.float32)

    def of(self, rows: Image) -> Amplitudes:
        """Sums over an image of its values times the conjugate waves, (2 m + 1, n + 1), on every rank. Collective."""
        parts = {}
        for number, block in self._image_rows.own_blocks.items():
            part = self._along[:, block] @ (rows[block] @ self._across).view(np.complex64)
            parts[number] = part.view(np.float32)
        m, n = self.limits
        return self._image_rows.total(parts, (2 * m + 1, 2 * (n + 1))).view(np.complex128)

    def spread(self, amplitudes: Amplitudes, out: Image) -> None:
        """Own rows (n_own, nx) of the real part of the sum of waves of these amplitudes. Not collective."""
        given = amplitudes.astype(np.complex64)
        for block in self._image_rows.own_blocks.values():
            of_columns = self._along[:, block].conj().T @ given
            np.matmul(of_columns.view(np.float32), self._across.T, out=out[block])


def _waves(numbers: npt.NDArray[np.int_], places: npt.NDArray[np.int_], length: int) -> npt.NDArray[np.complex128]:
    """Conjugate waves of these numbers at some places of a line, (n_numbers, n_places)."""
    turns = np.outer(numbers, places) % length / length
    return np.asarray(np.exp(-2j * np.pi * turns))
