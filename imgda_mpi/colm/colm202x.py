"""Restarts of CoLM202X, read and written by the ranks that own their patches."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.block_files import BlockFile, Columns, edit_rows, has_parallel_hdf5, read_rows
from imgda_mpi.colm.case_files import CaseFiles, stamp, survey
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.restart import check_soil
from imgda_mpi.colm.soil_layers import N_SNOW, N_SOIL
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.errors import writing
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import share

log = logging.getLogger(__name__)

# In the state file the snow layers come first; soil layer 1 is column 5.
LIQUID = Columns("wliq_soisno", N_SNOW, N_SNOW + N_SOIL)
ICE = Columns("wice_soisno", N_SNOW, N_SNOW + N_SOIL)
TEMPERATURE = Columns("t_soisno", N_SNOW, N_SNOW + N_SOIL)
AQUIFER = Columns("wa")
POROSITY = Columns("porsl", 0, N_SOIL)
RESIDUAL = Columns("theta_r", 0, N_SOIL)


@dataclass
class Colm202xRestart:
    """A restart of CoLM202X, as `imgda_mpi.colm.restart.Restart` describes it."""

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    offsets: IntArray
    comm: MPI.Intracomm
    files: CaseFiles
    folder: list[Path]  # all files of this instant
    states: list[BlockFile]
    consts: list[BlockFile]

    def room(self) -> int:
        """Bytes that `write` needs: the files, and the edited variables once more in case they deflate less well."""
        return sum(path.stat().st_size for path in self.folder) + 8 * (N_SOIL + 1) * self.patches.n_patch

    def read_soil(self) -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective."""
        state = read_rows(self.comm, self.states, self.offsets, [LIQUID, ICE, TEMPERATURE, AQUIFER])
        const = read_rows(self.comm, self.consts, self.offsets, [POROSITY, RESIDUAL])
        first, last = (int(offset) for offset in self.offsets[self.comm.rank : self.comm.rank + 2])
        soil = SoilColumns(
            liquid=state[LIQUID.name],
            ice=state[ICE.name],
            temperature=state[TEMPERATURE.name],
            porosity=const[POROSITY.name],
            residual=const[RESIDUAL.name],
            is_soil=self.patches.is_soil[first:last],
        )
        with same_fate(self.comm):
            check_soil(
                soil, lambda patch: _place(self.states, first + patch), lambda patch: _place(self.consts, first + patch)
            )
        return soil, state[AQUIFER.name]

    def write(self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None) -> list[Path]:
        """Copy the folder of this instant into ``directory``, then edit the soil water of the copies. Collective.

        Sets that hold no soil water (``_restart_pft_``, ``_restart_urban_``, ...) are copied as they are, so that
        the new folder can take the place of the old one.
        """
        folder = directory / self.files.states.name
        written = [folder / source.name for source in self.folder]
        with same_fate(self.comm), writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in list(zip(self.folder, written, strict=True))[self.comm.rank :: self.comm.size]:
                shutil.copyfile(source, target)
        copies = [BlockFile(folder / file.path.name, file.start, file.stop) for file in self.states]
        edits = {LIQUID: liquid} if aquifer is None else {LIQUID: liquid, AQUIFER: aquifer}
        edit_rows(self.comm, copies, self.offsets, edits)
        return written


def open_restart(
    directory: Path, case: str, time: datetime, land_cover_year: int, comm: MPI.Intracomm
) -> Colm202xRestart:
    """A restart whose files have been found, checked against each other, and shared among the ranks.

    Collective over ``comm``; only rank 0 opens files.

    Raises
    ------
    InputError
        Where a file is missing or damaged, of another instant or case, or does not match the others.
    """
    files = CaseFiles(directory, case, time, land_cover_year)
    found = None
    with same_fate(comm):
        if comm.rank == 0:
            surveyed = survey(files, [LIQUID, ICE, TEMPERATURE, AQUIFER], [POROSITY, RESIDUAL])
            found = (*surveyed, sorted(path for path in files.states.iterdir() if path.is_file()))
    patches, blocks, sizes, folder = comm.bcast(found)
    if comm.rank == 0 and comm.size > 1 and not has_parallel_hdf5():
        log.info("this h5py has no MPI: restart files go through rank 0 (same values, less speed)")
    ends = np.cumsum(sizes)
    bounds = [(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]
    return Colm202xRestart(
        name=f"CoLM202X case {case} at {stamp(time)}",
        time=time,
        inputs=[files.mesh, *folder, *(path for block in blocks for path in files.of_block(block)[1:])],
        patches=patches,
        offsets=share(int(ends[-1]), comm.size),
        comm=comm,
        files=files,
        folder=folder,
        states=[BlockFile(files.state(block), *bound) for block, bound in zip(blocks, bounds, strict=True)],
        consts=[BlockFile(files.const(block), *bound) for block, bound in zip(blocks, bounds, strict=True)],
    )


def _place(files: list[BlockFile], patch: int) -> tuple[Path, int]:
    """The file of a patch of all blocks, and the patch's number in it."""
    file = next(file for file in files if patch < file.stop)
    return file.path, patch - file.start
