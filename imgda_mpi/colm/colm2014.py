"""Restarts of CoLM2014: two Fortran files of unnamed records, one for the state and one for what never changes.

The state is one record of 8-byte reals without any sizes in it: these come from the const file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.const2014 import const_layout, patch_map
from imgda_mpi.colm.fortran import read_records
from imgda_mpi.colm.hdf5 import LARGEST
from imgda_mpi.colm.marks import Mark, read_sidecar, sidecar, write_sidecar
from imgda_mpi.colm.own_patches import PatchProperties, own_patches
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Implausible, check_soil
from imgda_mpi.colm.soil_layers import N_SNOW
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.colm.state2014 import WIDTHS, check_date, check_size, state_byte, state_values
from imgda_mpi.faults import OutputError, not_finite, writing
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows

TEMPERATURE, LIQUID, ICE, AQUIFER = "t_soisno", "wliq_soisno", "wice_soisno", "wa"
SOIL_VARIABLES = (TEMPERATURE, LIQUID, ICE)


@dataclass
class Colm2014Restart:
    """A restart of CoLM2014, as `imgda_mpi.model.restart.Restart` describes it."""

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray
    comm: MPI.Intracomm
    porosity: FloatArray  # (n_own, 10)
    conductivity: FloatArray  # (n_own, 10)
    patch_class: IntArray  # (n_own,)
    mark: Mark | None

    @property
    def state(self) -> Path:
        """File that changes from one instant to the next."""
        return self.inputs[0]

    def room(self) -> int:
        """Bytes that `write` needs. Not collective."""
        return self.state.stat().st_size

    def read_soil(self, implausible: Implausible = "stop") -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective.

        Raises
        ------
        InputError
            As of `check_soil`.
        """
        every: Sequence[FloatArray | None] = on_rank_0(self.comm, self._read_all) or [None] * 4
        liquid, ice, temperature, aquifer = (scatter_rows(self.comm, values, self.offsets) for values in every)
        state, first = self.state, int(self.offsets[self.comm.rank])
        soil = SoilColumns(
            liquid=liquid,
            ice=ice,
            temperature=temperature,
            porosity=self.porosity,
            residual=np.zeros_like(liquid),  # this version of the model has none
            is_soil=self.patches.is_soil,
        )
        return check_soil(soil, lambda patch: (state, first + patch), self._place, self.comm, implausible), aquifer

    def read_properties(self) -> PatchProperties:
        """Properties of the own patches, which this model has no height of. Not collective."""
        return PatchProperties(self.patch_class, self.porosity, self.conductivity, None, self._place)

    def _place(self, patch: int) -> tuple[Path, int]:
        """The file of the constants, and the number in it of one of the own patches."""
        return self.inputs[1], int(self.offsets[self.comm.rank]) + patch

    def check_copied(self, implausible: Implausible = "stop") -> None:
        """Read the whole state file, which `write` copies. Collective; rank 0 does the file work.

        Raises
        ------
        InputError
            Where it cannot be read, or holds numbers that are not finite.
        """
        # What is left out of the analysis is passed on as it is.
        unless = SOIL_VARIABLES if implausible == "leave_out" else ()
        on_rank_0(self.comm, lambda: _check_values(self.state, int(self.offsets[-1]), unless))

    def write(
        self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None, mark: Mark | None = None
    ) -> list[Path]:
        """Copy the state file and put the soil water into the copy. Collective; rank 0 does the file work.

        The mark becomes a sidecar, which is the second file.

        Raises
        ------
        OutputError
            Where the file does not hold what was written to it.
        """
        target, mark = directory / self.state.name, mark or self.mark
        every_liquid = gather_rows(self.comm, liquid, self.offsets)
        every_aquifer = None if aquifer is None else gather_rows(self.comm, aquifer, self.offsets)
        with same_fate(self.comm):
            if every_liquid is not None:
                water = self._values(LIQUID)
                water[:, N_SNOW:] = every_liquid
                edits = {LIQUID: water}
                if every_aquifer is not None:
                    edits[AQUIFER] = every_aquifer[:, None]
                _edited_copy(self.state, target, edits)
                if mark is not None:
                    with writing(target.parent):
                        write_sidecar(target, mark)
        return [target] if mark is None else [target, sidecar(target)]

    def _values(self, variable: str) -> FloatArray:
        n = int(self.offsets[-1])
        return state_values(self.state, variable, n)

    def _read_all(self) -> list[FloatArray]:
        """Liquid, ice, temperature (n_patch, 10) and aquifer storage (n_patch,) of all patches."""
        columns = [self._values(variable)[:, N_SNOW:] for variable in (LIQUID, ICE, TEMPERATURE)]
        return [*columns, self._values(AQUIFER)[:, 0]]


def open_restart(restart_file: Path, const_file: Path, time: datetime, comm: MPI.Intracomm) -> Colm2014Restart:
    """A restart whose two files have been checked against each other and shared among the ranks.

    Collective over ``comm``; only rank 0 opens files.

    Parameters
    ----------
    restart_file, const_file : the model's ``<site>-rstTimeVar-<yyyy-ddd-sssss>`` and ``<site>-rstTimeConst``
    time : instant that the restart must be of, UTC

    Raises
    ------
    InputError
        Where a file is missing, damaged, of another layout or instant, or does not match the other.
    """

    def read() -> tuple[PatchMap, FloatArray, FloatArray, IntArray]:
        layout = const_layout(const_file)
        check_size(restart_file, layout.n_patch)
        check_date(restart_file, time)
        return patch_map(layout), layout.porosity(), layout.conductivity(), layout.classes()

    patches, porosity, conductivity, patch_class = on_rank_0(comm, read) or (None, None, None, None)
    mark = from_rank_0(comm, lambda: read_sidecar(restart_file))
    offsets = share(comm.bcast(patches.n_patch if patches else None), comm.size)
    return Colm2014Restart(
        name=f"CoLM2014 {restart_file.name}",
        time=time,
        inputs=[restart_file, const_file, *([] if mark is None else [sidecar(restart_file)])],
        patches=own_patches(comm, patches, offsets),
        all_patches=patches,
        offsets=offsets,
        comm=comm,
        porosity=scatter_rows(comm, porosity, offsets),
        conductivity=scatter_rows(comm, conductivity, offsets),
        patch_class=scatter_rows(comm, patch_class, offsets),
        mark=mark,
    )


def _check_values(path: Path, n_patch: int, unless: Sequence[str]) -> None:
    for name in WIDTHS:
        values = state_values(path, name, n_patch)
        bad = int(np.count_nonzero(~(np.abs(values) <= LARGEST)))
        if bad and name not in unless:
            raise not_finite(path, name, bad, values.size)


def _edited_copy(source: Path, target: Path, edits: dict[str, FloatArray]) -> None:
    """Copy a state file and replace whole variables (n_patch, width) in the copy."""
    records = read_records(source)
    with writing(target.parent):
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            for variable, values in edits.items():
                records.put(file, 0, state_byte(variable, values.shape[0]), values)
            file.flush()
            os.fsync(file.fileno())
    for variable, values in edits.items():
        written = state_values(target, variable, values.shape[0])
        if written.tobytes() != values.tobytes():
            raise OutputError(f"{target}: the file does not hold the soil water that was written to it")
