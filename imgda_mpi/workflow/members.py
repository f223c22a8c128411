"""The members of the model that methods take the background errors from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.config import MemberImages, MemberRestarts
from imgda_mpi.errors import fault
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.problem import Members
from imgda_mpi.workflow.surface import SURFACE, Model, open_restart, surface_image


def read_members(
    wanted: MemberRestarts | MemberImages,
    model: Model,
    grid: Grid,
    land: BoolArray,
    holder: Callable[[int], int],
    comm: MPI.Intracomm,
) -> tuple[Members, list[Path]]:
    """The members, each read by the rank that holds it, and every file read. Collective over ``comm``.

    Parameters
    ----------
    wanted : MemberRestarts or MemberImages
    model : Colm202x or Colm2014
        The restart that is corrected.
    grid : Grid
    land : (ny, nx) array of bool
        Cells that have a background: every member must have a value there.
    holder : callable
        Rank that holds a member.

    Raises
    ------
    InputError
        Where a file is missing or damaged, or is not what the settings say, or all members are alike.
    """
    if isinstance(wanted, MemberRestarts):
        n_members, of_member = len(wanted.directories), _restart_reader(wanted, model, grid)
    else:
        n_members, of_member = _count_images(wanted, model.time, comm), _image_reader(wanted, model, grid)
    mine: dict[int, tuple[FloatArray, list[Path]]] = {}
    with same_fate(comm):
        for member in range(n_members):
            if holder(member) == comm.rank:
                mine[member] = of_member(member)
                _check(mine[member], member, land)
    mean, squares = np.zeros((2, *grid.shape))
    for member in range(n_members):
        image = comm.bcast(mine[member][0] if member in mine else None, root=holder(member))
        # Welford's form; in the order of the members on every rank.
        difference = np.where(land, image - mean, 0.0)
        mean += difference / (member + 1)
        squares += difference * np.where(land, image - mean, 0.0)
    anomalies = {member: np.where(land, image - mean, 0.0) for member, (image, _) in mine.items()}
    own_files = [file for _, paths in mine.values() for file in paths]
    files = sorted({file for part in comm.allgather(own_files) for file in part})
    spread = np.where(land, np.sqrt(squares / (n_members - 1)), np.nan)
    with same_fate(comm):
        if not np.nanmax(spread) > 0:
            raise fault(
                "[ensemble]",
                found=f"{n_members} members that are all alike",
                expected="members that differ",
                do="give each member its own folder or image",
            )
    return Members(anomalies, spread, n_members), files


Reader = Callable[[int], tuple[FloatArray, list[Path]]]


def _restart_reader(wanted: MemberRestarts, model: Model, grid: Grid) -> Reader:
    def read(member: int) -> tuple[FloatArray, list[Path]]:
        directory = wanted.directories[member]
        restart = open_restart(model, MPI.COMM_SELF, directory)
        if not restart.patches.grid.has_cells_of(grid):
            raise fault(
                directory,
                found=f"a grid of {restart.patches.grid.shape}, or other cells",
                expected=f"the model's grid of {grid.shape}",
                do="give restarts of the same case",
            )
        soil, _ = restart.read_soil()
        return surface_image(restart, soil.surface_moisture(SURFACE), MPI.COMM_SELF), restart.inputs

    return read


def _image_reader(wanted: MemberImages, model: Model, grid: Grid) -> Reader:
    def read(member: int) -> tuple[FloatArray, list[Path]]:
        from imgda_mpi.images.cf import read_member  # on the ranks that read

        image = read_member(wanted.file, grid, model.time, variable=wanted.variable, layer=wanted.layer, member=member)
        return image.values, [image.path]

    return read


def _count_images(wanted: MemberImages, time: datetime, comm: MPI.Intracomm) -> int:
    n_members = 0
    with same_fate(comm):
        if comm.rank == 0:
            from imgda_mpi.images.cf import count_members  # on the one rank that reads

            n_members = count_members(wanted.file, time, wanted.variable)
            if n_members < 2:
                raise fault(
                    wanted.file, wanted.variable, found=f"{n_members} member", expected="2 or more", do="add some"
                )
    return int(comm.bcast(n_members))


def _check(read: tuple[FloatArray, list[Path]], member: int, land: BoolArray) -> None:
    image, files = read
    lacking = int(np.count_nonzero(land & ~np.isfinite(image)))
    if lacking:
        raise fault(
            files[0],
            f"member {member}",
            found=f"no value in {lacking} of the model's {np.count_nonzero(land)} soil cells",
            expected="a value in each",
            do="give members of the same case on the model's grid",
        )
