"""The images of a comparison: a background and truths, from a file each or from members in one file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.comparison_config import Comparison, MembersInFile
from imgda_mpi.errors import fault
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Images:
    """Soil moisture on the common grid, (ny, nx) m3 m-3, NaN where missing.

    Parameters
    ----------
    background : image
    truths : images that are the truth in turn
    are_members : whether the truths are members of one ensemble
    files : that were read
    """

    background: FloatArray
    truths: list[FloatArray]
    are_members: bool
    files: list[Path]

    @property
    def land(self) -> BoolArray:
        """Cells that all images have, (ny, nx)."""
        return np.asarray(np.isfinite(np.stack([self.background, *self.truths])).all(axis=0))


def read_images(settings: Comparison, grid: Grid, comm: MPI.Intracomm) -> Images:
    """The images on the grid, the same on every rank. Collective.

    Raises
    ------
    InputError
    """
    images: Images | None = None
    with same_fate(comm):
        if comm.rank == 0:
            images = _of_members(settings.members, settings.time, grid) if settings.members else _pair(settings, grid)
    everywhere: Images = comm.bcast(images)
    return everywhere


def _pair(settings: Comparison, grid: Grid) -> Images:
    from imgda_mpi.workflow.observation import read_image

    wanted = [section for section in (settings.background, settings.truth) if section is not None]
    background, truth = (read_image(section, grid, settings.time) for section in wanted)
    log.info("background: %s", background.source)
    log.info("truth: %s", truth.source)
    return Images(background.values, [truth.values], False, [background.path, truth.path])


def _of_members(wanted: MembersInFile, time: datetime, grid: Grid) -> Images:
    from imgda_mpi.images.cf import count_members, read_member

    n_members = count_members(wanted.file, time, wanted.variable)
    if wanted.background_member >= n_members or n_members < 4:
        raise fault(
            wanted.file,
            wanted.variable,
            found=f"{n_members} members",
            expected=f"4 or more, number {wanted.background_member} among them",
            do="add members, or set members.background_member",
        )
    read = [
        read_member(wanted.file, grid, time, variable=wanted.variable, layer=wanted.layer, member=member)
        for member in range(n_members)
    ]
    background = read.pop(wanted.background_member)
    return Images(background.values, [image.values for image in read], True, [background.path])
