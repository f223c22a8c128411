"""The curvelet transform of an analysis, with FFT plans that every rank and every later run shares."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.curvelet.geometry import Geometry, default_scales
from imgda_mpi.curvelet.layout import CHUNK, Layout, layout_of
from imgda_mpi.faults import ConfigError
from imgda_mpi.fourier import BLOCK, LIBRARY, NO_WISDOM, PLANS, Wisdom
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import from_rank_0, same_fate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TransformKind:
    """Which transform: see `CurveletTransform`; ``n_scales`` None takes those of the image's size.

    ``precision`` is "double" or "single".
    """

    n_scales: int | None = None
    n_angles: int = 16
    finest: str = "wavelets"
    sampling: str = "fast"
    precision: str = "double"

    def on(self, grid: Grid, *, scales_by_size: bool) -> tuple[TransformKind, tuple[int, int]]:
        """Which transform of images on a grid, and the shape (ny, nx) of the array they are embedded in.

        Scales that are not given follow from the extent of the grid, `Grid.n_scales`, or from its number of rows, as
        in Bai et al. (2026); see `Grid.transform_shape` for the array.
        """
        if not scales_by_size:
            return self, grid.transform_shape()
        n_scales = self.n_scales or grid.n_scales
        return replace(self, n_scales=n_scales), grid.transform_shape(n_scales)


DTYPES = {"double": np.float64, "single": np.float32}

MEASURED_FROM = 400_000
"""Pixels from which measured plans save more time in one analysis than it takes to measure them."""


def make_transform(wanted: TransformKind, shape: tuple[int, int], comm: MPI.Intracomm) -> CurveletTransform:
    """Transform of images (ny, nx), the same to the bit on every rank. Collective over ``comm``.

    For small images FFT plans are estimated, which depends on the shape alone. For larger ones rank 0 takes the plans
    that an earlier run has kept, or measures and keeps them, and hands them to all ranks: the bits do not change
    between runs or numbers of ranks as long as the kept file stays. Where it cannot be kept, plans are estimated. A
    `ConfigError` where an image of this size has no such transform.
    """
    is_measured = shape[0] * shape[1] >= MEASURED_FROM
    wisdom = from_rank_0(comm, lambda: _kept_wisdom(wanted, shape) if is_measured else None)
    with same_fate(comm):
        transform = _transform(wanted, shape, wisdom)
        # The first call of a compiled loop loads the compiler's run time: here, not in the time of the increment.
        CurveletTransform((32, 32), dtype=transform.dtype).forward(np.zeros((32, 32)))
        return transform


def is_transform_of(transform: CurveletTransform, wanted: TransformKind, shape: tuple[int, int]) -> bool:
    """Whether a transform is the one wanted for images (ny, nx)."""
    return (transform.geometry, transform.dtype) == (_geometry(wanted, shape), np.dtype(DTYPES[wanted.precision]))


@lru_cache(maxsize=4)
def layout_on(wanted: TransformKind, shape: tuple[int, int]) -> Layout:
    """Where the coefficients of a transform of images (ny, nx) lie, without making it.

    Raises
    ------
    ValueError
        Where an image of this size has no such transform.
    """
    return layout_of(_geometry(wanted, shape))


def _geometry(wanted: TransformKind, shape: tuple[int, int]) -> Geometry:
    n_scales = default_scales(shape) if wanted.n_scales is None else wanted.n_scales
    return Geometry(shape, n_scales, wanted.n_angles, wanted.finest, wanted.sampling)


def _transform(wanted: TransformKind, shape: tuple[int, int], wisdom: Wisdom | None) -> CurveletTransform:
    arguments = (shape, wanted.n_scales, wanted.n_angles, wanted.finest, wanted.sampling, DTYPES[wanted.precision])
    try:
        return CurveletTransform(*arguments, wisdom)
    except ValueError as err:
        raise ConfigError(f"{err} (image of {shape[0]} x {shape[1]})") from None


def _kept_wisdom(wanted: TransformKind, shape: tuple[int, int]) -> Wisdom | None:
    """Measured plans from the cache folder, where they are put if they are not there yet; None if they cannot be."""
    kept = None
    try:
        kept = _cache_file(wanted, shape)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            # Only what can be kept is worth measuring, so the file is there first.
            with tempfile.NamedTemporaryFile("w", dir=kept.parent, suffix=".partial") as file:
                start = time.perf_counter()
                json.dump([text.decode("ascii") for text in _transform(wanted, shape, NO_WISDOM).wisdom or ()], file)
                file.flush()
                log.info("FFT plans measured in %.1f s, kept in %s", time.perf_counter() - start, kept)
                try:
                    os.link(file.name, kept)
                except FileExistsError:
                    log.info("another run has kept its FFT plans first: those are used")
        double, single, extended = (text.encode("ascii") for text in json.loads(kept.read_text()))
    except (OSError, RuntimeError, ValueError) as err:
        log.warning(
            "%s: measured FFT plans cannot be kept there (%s): estimated ones are used, which are slower; "
            "remove a damaged file, or set XDG_CACHE_HOME to a folder that can be written",
            kept or "the cache folder",
            err,
        )
        return None
    return double, single, extended


def _cache_file(wanted: TransformKind, shape: tuple[int, int]) -> Path:
    """Where the plans of this transform are kept: for this processor and this FFTW."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    computer = f"{_processor()} {LIBRARY}"
    # A rank would measure for itself what the file does not have: other plans, or those of arrays of other sizes.
    what = f"{computer} {PLANS} {BLOCK} {CHUNK} {json.dumps(asdict(wanted), separators=(',', ':'))}"
    return cache / "imgda_mpi" / f"fftw-{shape[0]}x{shape[1]}-{hashlib.sha256(what.encode()).hexdigest()[:12]}.json"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
