"""What the rest of the program knows of a restart, whichever model wrote it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.marks import Mark
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Implausible
from imgda_mpi.colm.soil_update import SoilColumns


class Restart(Protocol):
    """One instant of the model, spread over ranks: rank r owns the patches ``offsets[r]:offsets[r + 1]``.

    ``patches`` are the own ones; their grid is that of the whole image. Rank 0 alone holds the map of ``all_patches``,
    which is None elsewhere. ``mark`` says which observations the restart holds, None where it has not been analysed.
    """

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray
    mark: Mark | None

    def room(self) -> int:
        """Bytes that `write` needs at most. Not collective."""

    def read_soil(self, implausible: Implausible = "stop") -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches, checked by `check_soil`. Collective."""

    def check_copied(self, implausible: Implausible = "stop") -> None:
        """Read once everything that `write` passes on, and refuse what is damaged. Collective.

        With ``"leave_out"`` soil water and temperature may be any numbers.
        """

    def write(
        self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None, mark: Mark | None = None
    ) -> list[Path]:
        """Write the restart with other soil water, all else as it was; gives all files on every rank. Collective.

        Parameters
        ----------
        directory : exists and is empty; the files get the model's names
        liquid : (n_own, 10) kg m-2
        aquifer : (n_own,) mm, or None to keep it
        mark : of the analysis, or None to keep that of this restart
        """
