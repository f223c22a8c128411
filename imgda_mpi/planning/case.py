"""An analysis as far as its cost depends on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import IntArray
from imgda_mpi.curvelet import Chunk, Layout
from imgda_mpi.fourier import padded_spectrum

REAL = 8  # bytes of a number outside of the transform

# Bytes of a patch, counted from the arrays that are alive together.
PATCH_READ = 430  # on its owner: five arrays of 10 layers, the aquifer, cell, weight, type
PATCH_UPDATE = 530  # on its owner, during the update of the soil
PATCH_LEDGER = 100  # on rank 0, from the update on: its place, and its row of the ledger


@dataclass(frozen=True)
class FeatureCounts:
    """Numbers of the features of cells that the errors of a case follow.

    Parameters
    ----------
    n_features, n_groups
    n_entries : of their matrix that are not 0
    n_observed : cells that are observed
    """

    n_features: int = 0
    n_groups: int = 0
    n_entries: int = 0
    n_observed: int = 0


@dataclass(frozen=True)
class Case:
    """An analysis as far as its cost depends on it.

    Parameters
    ----------
    layout : of the transform
    itemsize : bytes of a coefficient
    n_members : perturbed ones of each kind; 0 for the full solver
    n_pixels, n_patch : of the image on the model grid, and of the restart
    n_fields : standard deviations that are fields
    features : none unless the method knows of some
    has_gaps : whether the image on the array of the transform is not observed in some places
    """

    layout: Layout
    itemsize: int
    n_members: int
    n_pixels: int
    n_patch: int
    n_fields: int
    features: FeatureCounts = FeatureCounts()
    has_gaps: bool = True

    @property
    def spectrum_bytes(self) -> int:
        """Of the half spectrum of an image."""
        return 2 * self.itemsize * math.prod(padded_spectrum(self.layout.image_shape))

    @property
    def image_flops(self) -> float:
        """Of the FFT of an image."""
        return real_flops(math.prod(self.layout.image_shape))

    def chunk_flops(self, chunk: Chunk) -> float:
        """Of the FFTs of a chunk's wedges."""
        return sum((real_flops if wedge.is_real else complex_flops)(math.prod(wedge.shape)) for wedge in chunk.wedges)

    @property
    def places_bytes(self) -> int:
        """Of the map of all patches, which rank 0 holds: cell, weight, type."""
        return 20 * self.n_patch

    def inputs_bytes(self, n_patch: int) -> int:
        """Of all that a rank with so many patches holds from the inputs to the end."""
        embedded = math.prod(self.layout.image_shape)
        return PATCH_READ * n_patch + REAL * (3 * self.n_pixels + self.n_fields * embedded)

    def memory(self, n_ranks: int, increment: IntArray) -> IntArray:
        """Most bytes of a rank, from those it needs for the increment, rank 0 first; the soil may take more."""
        n_own = -(-self.n_patch // n_ranks)
        held = np.full(increment.shape, self.inputs_bytes(n_own))
        update = np.full(increment.shape, PATCH_UPDATE * n_own + 2 * REAL * self.n_pixels)
        held.flat[0] += self.places_bytes
        update.flat[0] += PATCH_LEDGER * self.n_patch + 3 * REAL * self.n_pixels
        return np.asarray(held + np.maximum(increment, update))


def real_flops(n: int) -> float:
    """Floating point operations of a real FFT of n numbers, as usually counted."""
    return 2.5 * n * math.log2(n)


def complex_flops(n: int) -> float:
    """Floating point operations of a complex FFT of n numbers, as usually counted."""
    return 5.0 * n * math.log2(n)
