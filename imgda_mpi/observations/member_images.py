"""Images of all members of the model in one CF file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.observations.cf import count_members, read_member
from imgda_mpi.observations.image import ObservedImage

FEWEST = 4
"""One is the background, one the truth, and of two others there is a spread."""


def background_and_members(
    file: Path, grid: Grid, time: datetime, *, background_member: int, variable: str, **how: Any
) -> tuple[ObservedImage, list[FloatArray]]:
    """The member that is the background, and the images (ny, nx) m3 m-3 of all others. Not collective.

    ``how`` each is read as of `imgda_mpi.observations.cf.read_member`.

    Raises
    ------
    InputError
        Where there are fewer than four members, or not the one that is the background.
    """
    n_members = count_members(file, time, variable)
    if background_member >= n_members or n_members < FEWEST:
        raise fault(
            file,
            variable,
            found=f"{n_members} members",
            expected=f"{FEWEST} or more, number {background_member} among them",
            do="add members, or take another background_member",
        )
    read = [read_member(file, grid, time, variable=variable, member=number, **how) for number in range(n_members)]
    background = read.pop(background_member)
    return background, [image.values for image in read]
