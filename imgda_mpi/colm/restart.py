"""What the rest of the program knows of a restart, whichever version of the model wrote it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.errors import InputError, fault

FloatArray = npt.NDArray[np.float64]

# CoLM writes -1.0e36 where it has no value; anything this large is no soil water and no temperature.
LARGEST_PLAUSIBLE = 1.0e30


class Restart(Protocol):
    """One instant of the model, spread over ranks: rank r owns the patches ``offsets[r]:offsets[r + 1]``."""

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    offsets: npt.NDArray[np.int64]

    @property
    def n_bytes(self) -> int:
        """Room that `write` needs at most."""

    def read_soil(self) -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective."""

    def write(self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None) -> list[Path]:
        """Write the restart into a directory with other soil water, all else as it was. Collective.

        Parameters
        ----------
        directory : Path
            Exists and is empty; the files get the model's names.
        liquid : (n_own, 10) array, kg m-2
        aquifer : (n_own,) array, mm, or None to keep it

        Returns
        -------
        list of Path
            Every file written, the same list on every rank.
        """


def check_soil(soil: SoilColumns, place: Callable[[int], tuple[Path, int]]) -> None:
    """Refuse soil columns that hold missing or not finite values. Not collective.

    Parameters
    ----------
    soil : SoilColumns
    place : callable
        The file of a patch of ``soil`` and the patch's number in it, from 0.

    Raises
    ------
    InputError
        Naming the first such patch and how many there are.
    """
    for name, values in (
        ("wliq_soisno", soil.liquid),
        ("wice_soisno", soil.ice),
        ("t_soisno", soil.temperature),
        ("porsl", soil.porosity),
    ):
        wrong = soil.is_soil[:, None] & ~(np.abs(values) < LARGEST_PLAUSIBLE)
        if wrong.any():
            patch, layer = (int(index) for index in np.argwhere(wrong)[0])
            file, number = place(patch)
            raise InputError(
                fault(
                    file,
                    name,
                    found=f"{values[patch, layer]:g} in soil layer {layer + 1} of patch {number}"
                    f" ({int(wrong.any(axis=1).sum())} such patches)",
                    expected="finite values on every soil patch",
                    do="this restart cannot be continued: use one that the model wrote in full",
                )
            )
