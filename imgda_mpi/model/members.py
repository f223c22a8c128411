"""The members of the model that methods take the background errors from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.marks import Assimilated
from imgda_mpi.colm.plausible import Implausible
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.model.restart import SURFACE, open_restart, read_soil, surface_image
from imgda_mpi.numerics.problem import Members
from imgda_mpi.observations.read import say_remarks
from imgda_mpi.parallel.failure import from_rank_0, same_fate

OneMember = Callable[[int], tuple[FloatArray, list[Path]]]
"""The image of a member, (ny, nx) m3 m-3, and the files that it is in."""


def read_members(
    n_members: int, of_member: OneMember, land: BoolArray, holder: Callable[[int], int], comm: MPI.Intracomm
) -> tuple[Members, list[Path]]:
    """The members, each read by the rank that holds it, and every file read. Collective over ``comm``.

    Parameters
    ----------
    of_member : see `members_in_restarts` and `members_in_images`
    land : cells (ny, nx) that have a background: every member must have a value there
    holder : rank that holds a member

    Raises
    ------
    InputError
        Where a file is missing or damaged, or is not what was stated, or all members are alike.
    """
    mine: dict[int, tuple[FloatArray, list[Path]]] = {}
    with same_fate(comm):
        for member in range(n_members):
            if holder(member) == comm.rank:
                mine[member] = of_member(member)
                _check(mine[member], member, land)
    mean, squares = np.zeros((2, *land.shape))
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
                "the ensemble",
                found=f"{n_members} members that are all alike",
                expected="members that differ",
                do="give each member its own folder or image",
            )
    return Members(anomalies, spread, n_members), files


def members_in_restarts(
    kind: str,
    of_members: Sequence[Mapping[str, Any]],
    grid: Grid,
    implausible: Implausible = "stop",
    new: Assimilated | None = None,
) -> OneMember:
    """Members that have a restart each, opened with the given arguments of `open_restart`.

    With ``"leave_out"`` a member's image is the mean over those of its patches that are plausible. None may hold the
    ``new`` observation already: its error would be that of the members.
    """

    def read(member: int) -> tuple[FloatArray, list[Path]]:
        restart = open_restart(kind, MPI.COMM_SELF, **of_members[member])
        if not restart.patches.grid.has_cells_of(grid):
            raise fault(
                restart.name,
                f"member {member}",
                found=f"a grid of {restart.patches.grid.shape}, or other cells",
                expected=f"the model's grid of {grid.shape}",
                do="give restarts of the same case",
            )
        if restart.mark is not None and new is not None:
            restart.mark.check_new(new)
        restart, soil, _ = read_soil(restart, MPI.COMM_SELF, implausible)
        return surface_image(restart, soil.surface_moisture(SURFACE), MPI.COMM_SELF), restart.inputs

    return read


def members_in_images(grid: Grid, time: datetime, **where: Any) -> OneMember:
    """Members that have an image each in one CF file; ``where`` are the file, the variable and the layer."""

    def read(member: int) -> tuple[FloatArray, list[Path]]:
        from imgda_mpi.observations.cf import read_member  # on the ranks that read

        image = read_member(grid=grid, time=time, member=member, **where)
        if member == 0:  # what is to be said holds for all
            say_remarks(image.source, image.remarks)
        return image.values, [image.path]

    return read


def count_members(file: Path, time: datetime, variable: str, comm: MPI.Intracomm) -> int:
    """Members that an ensemble in one CF file has. Collective over ``comm``.

    Raises
    ------
    InputError
        Where there is less than two of them, or see `imgda_mpi.observations.cf.count_members`.
    """

    def count() -> int:
        from imgda_mpi.observations import cf  # on the one rank that reads

        found = cf.count_members(file, time, variable)
        if found < 2:
            raise fault(file, variable, found=f"{found} member", expected="2 or more", do="add some")
        return found

    return from_rank_0(comm, count)


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
