"""Restarts of CoLM202X, read and written by the ranks that own their patches."""

from __future__ import annotations

import functools
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.block_files import BlockFile, edit_rows, mark_of_set, read_rows, share_of_blocks, share_of_work
from imgda_mpi.colm.case_files import PLACE, CaseFiles, patch_map, stamp, survey
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.colm.copied import check_copied
from imgda_mpi.colm.hdf5 import Columns, has_parallel_hdf5, opened
from imgda_mpi.colm.land_cover import classification
from imgda_mpi.colm.marks import Mark, remove_attribute, write_attribute
from imgda_mpi.colm.own_patches import PatchProperties, own_patches
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Implausible, check_soil
from imgda_mpi.colm.soil_layers import N_SNOW, N_SOIL
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.faults import writing
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows

log = logging.getLogger(__name__)

# In the state file the snow layers come first; soil layer 1 is column 5.
LIQUID = Columns("wliq_soisno", N_SNOW, N_SNOW + N_SOIL)
ICE = Columns("wice_soisno", N_SNOW, N_SNOW + N_SOIL)
TEMPERATURE = Columns("t_soisno", N_SNOW, N_SNOW + N_SOIL)
AQUIFER = Columns("wa")
POROSITY = Columns("porsl", 0, N_SOIL)
RESIDUAL = Columns("theta_r", 0, N_SOIL)
CONDUCTIVITY = Columns("hksati", 0, N_SOIL)
HEIGHT = Columns("elvmean")
EDITED = (LIQUID.name, AQUIFER.name, "zwt", "wdsrf")  # of the state, by analyses and soil columns


@dataclass
class Colm202xRestart:
    """A restart of CoLM202X, as `imgda_mpi.model.restart.Restart` describes it.

    Beside that rank 0 has the land cover classes of all patches, (n_patch,); see `land_cover`.
    """

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray
    comm: MPI.Intracomm
    files: CaseFiles
    blocks: list[str]
    copied: list[Path]  # all files of this instant
    states: list[BlockFile]
    consts: list[BlockFile]
    mark: Mark | None
    all_classes: IntArray | None
    # From the first reading on, and shared by copies: own rows of the state and of constants; which constants there
    # are; as what `check_copied` has looked at the files.
    read: dict[str, FloatArray] = field(default_factory=dict)
    constants: dict[str, FloatArray] = field(default_factory=dict)
    there: dict[str, bool] = field(default_factory=dict)
    checked: set[Implausible] = field(default_factory=set)

    def room(self) -> int:
        """Bytes that `write` needs: the files, and the edited variables once more, which are stored at level 0."""
        return sum(path.stat().st_size for path in self.copied) + 8 * (N_SNOW + N_SOIL + 1) * int(self.offsets[-1])

    def land_cover(self) -> tuple[IntArray, str]:
        """Land cover classes of the own patches, (n_own,), and the name of their classification. Collective."""
        every, patches = self.all_classes, self.all_patches
        known = None if every is None or patches is None else classification(every, patches.patch_type)
        return scatter_rows(self.comm, every, self.offsets), self.comm.bcast(known)

    def has_const(self, name: str) -> bool:
        """Whether the constants have a variable. Collective."""

        def ask() -> bool:
            with opened(self.consts[0].path, block=self.consts[0].block) as file:
                return file.has(name)

        if name not in self.there:
            self.there[name] = from_rank_0(self.comm, ask)
        return self.there[name]

    def read_const(self, variables: Sequence[Columns]) -> dict[str, FloatArray]:
        """Own rows of constants by name. Collective.

        Raises
        ------
        InputError
            See `read_rows`.
        """
        return read_rows(self.comm, self.consts, self.offsets, variables)

    def read_state(self, variables: Sequence[Columns]) -> dict[str, FloatArray]:
        """Own rows of the state by name, which cannot be written to: `write` compares with them. Collective.

        What has been read before is not read again.

        Raises
        ------
        InputError
            See `read_rows`.
        """
        unread = [variable for variable in variables if variable.name not in self.read]
        if unread:
            self._remember(read_rows(self.comm, self.states, self.offsets, unread))
        return {variable.name: self.read[variable.name] for variable in variables}

    def _remember(self, rows: Mapping[str, FloatArray]) -> None:
        for values in rows.values():
            values.flags.writeable = False
        self.read |= rows

    def place_in_state(self, patch: int) -> tuple[Path, int]:
        """The file of one of the own patches, and the patch's number in it."""
        return _place(self.states, int(self.offsets[self.comm.rank]) + patch)

    def place_in_const(self, patch: int) -> tuple[Path, int]:
        """The file of the constants of one of the own patches, and the patch's number in it."""
        return _place(self.consts, int(self.offsets[self.comm.rank]) + patch)

    def read_soil(self, implausible: Implausible | None = "stop") -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective.

        The arrays cannot be written to: `write` compares with them.

        Raises
        ------
        InputError
            Where a variable cannot be read, and as of `check_soil`.
        """
        state = self.read_state([LIQUID, ICE, TEMPERATURE, AQUIFER])
        self._keep_constants([POROSITY, RESIDUAL])
        soil = SoilColumns(
            liquid=state[LIQUID.name],
            ice=state[ICE.name],
            temperature=state[TEMPERATURE.name],
            porosity=self.constants[POROSITY.name],
            residual=self.constants[RESIDUAL.name],
            is_soil=self.patches.is_soil,
        )
        soil = check_soil(soil, self.place_in_state, self.place_in_const, self.comm, implausible)
        return soil, state[AQUIFER.name]

    def read_properties(self) -> PatchProperties:
        """Properties of the own patches; what has been read before is not read again. Collective.

        Raises
        ------
        InputError
            See `read_rows`.
        """
        optional = [variable for variable in (CONDUCTIVITY, HEIGHT) if self.has_const(variable.name)]
        self._keep_constants([POROSITY, *optional])
        return PatchProperties(
            patch_class=self.land_cover()[0],
            porosity=self.constants[POROSITY.name],
            conductivity=self.constants.get(CONDUCTIVITY.name),
            height=self.constants.get(HEIGHT.name),
            const=self.place_in_const,
        )

    def _keep_constants(self, variables: Sequence[Columns]) -> None:
        unread = [variable for variable in variables if variable.name not in self.constants]
        if unread:
            self.constants |= self.read_const(unread)

    def check_copied(self, implausible: Implausible = "stop") -> None:
        """Read every variable of the files that `write` copies, and compare the blocks. Collective.

        What has been checked before, or copied from what has been, is not read again.

        Raises
        ------
        InputError
            See `imgda_mpi.colm.copied.check_copied`.
        """
        if implausible in self.checked:
            return
        # What is left out of the analysis is passed on as it is.
        unless = {variable.name for variable in (LIQUID, ICE, TEMPERATURE)} if implausible == "leave_out" else ()
        sizes = {(file.path, file.block): file.stop - file.start for file in self.states}
        check_copied(self.copied, sizes, self.blocks, unless, EDITED, self.comm)
        self.checked.add(implausible)

    def write(
        self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None, mark: Mark | None = None
    ) -> list[Path]:
        """Copy the folder of this instant into ``directory``, then edit the soil water of the copies. Collective.

        Sets that hold no soil water (``_restart_pft_``, ``_restart_urban_``, ...) are copied as they are, so that
        the new folder can take the place of the old one; the others are marked, also those without a change.
        """
        if LIQUID.name not in self.read:
            self.read_soil()
        edits = {LIQUID: liquid} if aquifer is None else {LIQUID: liquid, AQUIFER: aquifer}

        def give_mark(state: Path) -> None:
            if mark is not None:
                write_attribute(state, mark)

        return self._write(directory, self.time, edits, give_mark)

    def write_later(self, directory: Path, time: datetime, edits: Mapping[Columns, FloatArray]) -> list[Path]:
        """The restart of a later time into ``directory``, named by it, with other own rows. Collective.

        All else is as it is here, but for the mark of an analysis, which a model does not pass on.

        Parameters
        ----------
        edits : variables that `read_state` has read
        """
        return self._write(directory, time, edits, remove_attribute)

    def as_written(
        self, directory: Path, time: datetime, edits: Mapping[Columns, FloatArray], mark: Mark | None = None
    ) -> Colm202xRestart:
        """The restart that `write` or `write_later` has made of this one, without a look at its files. Not collective.

        Parameters
        ----------
        directory : of the case that it is in now, with the constants and landdata of this one
        edits, mark : that it was written with
        """
        files = replace(self.files, directory=directory, time=time)
        states = [replace(file, path=files.state(block)) for file, block in zip(self.states, self.blocks, strict=True)]
        consts = [replace(file, path=files.const(block)) for file, block in zip(self.consts, self.blocks, strict=True)]
        copied = [files.states / self._name_at(time, source) for source in self.copied]
        inputs = _inputs(files, self.blocks, copied, consts)
        written = replace(self, name=_name(files), time=time, inputs=inputs, files=files, copied=copied)
        written = replace(written, states=states, consts=consts, mark=mark, read=dict(self.read))
        written._remember({variable.name: rows for variable, rows in edits.items()})
        return written

    def _name_at(self, time: datetime, source: Path) -> str:
        """What one of the files of this instant is called at another one."""
        # The last one: the name of a case may hold a stamp too.
        return stamp(time).join(source.name.rsplit(stamp(self.time), 1))

    def _write(
        self, directory: Path, time: datetime, edits: Mapping[Columns, FloatArray], change: Callable[[Path], None]
    ) -> list[Path]:
        folder = directory / stamp(time)
        names = {source: self._name_at(time, source) for source in self.copied}
        written = [folder / name for name in names.values()]
        states = {file.path for file in self.states}
        with same_fate(self.comm), writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for source, target in list(zip(self.copied, written, strict=True))[self.comm.rank :: self.comm.size]:
                shutil.copyfile(source, target)
                if source in states:
                    change(target)
        copies = [replace(file, path=folder / names[file.path]) for file in self.states]
        edit_rows(self.comm, copies, self.offsets, self.read, edits)
        return written


@functools.cache  # once is enough
def _say_no_parallel_hdf5() -> None:
    log.info("this h5py has no MPI: a file that ranks share goes through one of them (same values, less speed)")


def open_restart(
    directory: Path,
    case: str,
    time: datetime,
    land_cover_year: int,
    comm: MPI.Intracomm,
    *,
    work_of_soil: int | None = None,
) -> Colm202xRestart:
    """A restart whose files have been found, checked against each other, and shared among the ranks.

    Collective over ``comm``. Each rank surveys its share of the blocks.

    ``work_of_soil`` is what there is to do for a patch of soil, another patch being 1: with it the ranks get shares of
    the same work, without it of nearly as many patches, and whole files where that can be.

    Raises
    ------
    InputError
        Where a file is missing or damaged, of another instant or case, or does not match the others.
    """
    wanted = CaseFiles(directory, case, time, land_cover_year)
    blocks, names, files = from_rank_0(comm, lambda: list_files(wanted))
    if comm.rank == 0 and comm.size > 1 and not has_parallel_hdf5():
        _say_no_parallel_hdf5()
    sizes, places = _survey(files, blocks, comm)
    with same_fate(comm):
        every = None if places is None else patch_map(files, dict(zip(blocks, sizes, strict=True)), places)
    mark = mark_of_set(list(dict.fromkeys(map(files.state, blocks))), comm)
    offsets = share_of_blocks(sizes, comm.size)
    if work_of_soil is not None:
        work = None if every is None else np.where(every.is_soil, work_of_soil, 1)
        offsets = comm.bcast(None if work is None else share_of_work(work, comm.size))
    ends = np.cumsum(sizes).tolist()
    bounds = list(zip([0, *ends[:-1]], ends, strict=True))
    states, consts = (
        [BlockFile(of(block), *bound, files.block_in(block)) for block, bound in zip(blocks, bounds, strict=True)]
        for of in (files.state, files.const)
    )
    copied = [files.states / name for name in names]
    return Colm202xRestart(
        name=_name(files),
        time=time,
        inputs=_inputs(files, blocks, copied, consts),
        patches=own_patches(comm, every, offsets),
        all_patches=every,
        offsets=offsets,
        comm=comm,
        files=files,
        blocks=blocks,
        copied=copied,
        states=states,
        consts=consts,
        mark=mark,
        all_classes=None if places is None else places["class"].astype(np.int64),
    )


def _name(files: CaseFiles) -> str:
    return f"CoLM202X case {files.case} at {stamp(files.time)}"


def _inputs(files: CaseFiles, blocks: Sequence[str], copied: Sequence[Path], consts: Sequence[BlockFile]) -> list[Path]:
    landdata = [path for block in blocks for path in files.places(block)]
    return list(dict.fromkeys([files.mesh, *copied, *(file.path for file in consts), *landdata]))


def _survey(files: CaseFiles, blocks: list[str], comm: MPI.Intracomm) -> tuple[list[int], npt.NDArray[np.void] | None]:
    """How many patches each block has, and on rank 0 the places of all. Collective over ``comm``."""
    first, last = share(len(blocks), comm.size)[comm.rank : comm.rank + 2]
    with same_fate(comm):
        mine = survey(files, blocks[first:last])
    parts = comm.allgather([part.size for part in mine])
    surveyed = np.concatenate([[0], np.cumsum([sum(part) for part in parts])])
    places = gather_rows(comm, np.concatenate([np.empty(0, PLACE), *mine]), surveyed)
    return [size for part in parts for size in part], places


def _place(files: list[BlockFile], patch: int) -> tuple[Path, int]:
    """The file of a patch of all blocks, and the patch's number in it."""
    file = next(file for file in files if patch < file.stop)
    return file.shown, patch - file.start
