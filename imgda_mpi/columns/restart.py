"""Soil columns from a restart of CoLM202X, and back into one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.colm.colm202x import AQUIFER, LIQUID, Colm202xRestart
from imgda_mpi.colm.hdf5 import Columns as Variable
from imgda_mpi.colm.hdf5 import opened
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import DAMAGED, LARGEST_AQUIFER
from imgda_mpi.colm.soil_layers import N_SOIL, interface_depth, node_depth, thickness
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.columns.hydraulics import WATER, Hydraulics, campbell, van_genuchten
from imgda_mpi.columns.vegetation import IGBP_OF_COMMUNITIES, IGBP_OF_USGS, classes, cover_and_roots
from imgda_mpi.columns.water import Columns, State, make_columns, make_state
from imgda_mpi.faults import fault
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.parallel.rows import gather_rows

log = logging.getLogger(__name__)

POND = Variable("wdsrf")
TABLE = Variable("zwt")
ELEVATION = Variable("elvmean")

VAN_GENUCHTEN = ("alpha_vgm", "n_vgm", "L_vgm")
CAMPBELL = ("bsw",)
BOTH = ("psi0", "hksati")

WORK = 10
"""Of a column in a few hours, where a patch that is no soil, only read and written, is 1."""

LOWEST_ENTRY = -1.0e4  # mm
DEEPEST_TABLE = 1.0e4  # m
MOST_STANDING = 1.0e4  # mm
MOST_SURPLUS = 100.0  # mm: an analysis may leave some; the older scheme has metres
MOST_POND = 10.0  # mm: the model's own, where a case has no file of scalars


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """The own columns of a rank, as a restart has them.

    Parameters
    ----------
    restart : the set they come from
    columns, state : of all own patches, in their order; only ``columns.moves`` of them take part
    elevation : of the own patches, (n_own,) m
    vegetation : IGBP class of the own patches, (n_own,); 0 where there is none
    hydraulics : name of the relation
    patches : own patches with only the columns that move as soil
    all_patches : the same of all patches, on rank 0
    n_columns, n_frozen : soil columns of all ranks, and those of them that stay as they are for ice or frost
    """

    restart: Colm202xRestart
    columns: Columns
    state: State
    elevation: FloatArray
    vegetation: IntArray
    hydraulics: str
    patches: PatchMap
    all_patches: PatchMap | None
    n_columns: int
    n_frozen: int

    @property
    def summary(self) -> str:
        """How many columns there are, in words."""
        return f"{self.n_columns} soil columns, {self.n_frozen} of them left alone for ice or frost; {self.hydraulics}"

    def images(self, values: FloatArray) -> FloatArray | None:
        """Values of the own patches, (n_own, k), as images (k, ny, nx) on rank 0, NaN without columns that move.

        Collective.
        """
        every = gather_rows(self.restart.comm, values, self.restart.offsets)
        patches = self.all_patches
        return None if patches is None or every is None else np.array([patches.to_image(each) for each in every.T])

    def at_cells(self, values: FloatArray, cells: Sequence[int]) -> FloatArray | None:
        """Values of the own patches, (n_own, k), in some cells as `images` has them, (n_cells, k) on rank 0.

        Columns move in each of the cells, whose numbers are flat indices; none is there twice. Collective.
        """
        own = np.flatnonzero(self.patches.is_soil & np.isin(self.patches.cell, cells))
        parts = self.restart.comm.gather((self.patches.cell[own], self.patches.weight[own], values[own]))
        if parts is None:
            return None
        # bincount adds in patch order: the same bits on any number of ranks.
        cell, weight, every = (np.concatenate(part) for part in zip(*parts, strict=True))
        number = {one: place for place, one in enumerate(cells)}
        place = np.array([number[one] for one in cell.tolist()], dtype=np.int64)
        total = np.stack([np.bincount(place, weight * each, minlength=len(cells)) for each in every.T], axis=1)
        return total / np.bincount(place, weight, minlength=len(cells))[:, None]

    def write(self, directory: Path, time: datetime) -> list[Path]:
        """The set of a time with the columns' water, beside what never moved; gives all files. Collective."""
        return self.restart.write_later(directory, time, self._edits())

    def as_written(self, case: Path, time: datetime) -> Colm202xRestart:
        """The restart that `write` has made, in the folder of its case."""
        return self.restart.as_written(case, time, self._edits())

    def _edits(self) -> dict[Variable, FloatArray]:
        edits = {}
        moves = self.columns.moves
        water = np.where(moves[:, None], self.state.kept[:, WATER], self.restart.read[LIQUID.name])
        edits[LIQUID] = water
        for variable, values in ((AQUIFER, self.state.aquifer), (TABLE, self.state.table), (POND, self.state.pond)):
            edits[variable] = np.where(moves, values, self.restart.read[variable.name])
        return edits


def read_columns(restart: Colm202xRestart, before: OwnColumns | None = None) -> OwnColumns:
    """The columns of all soil patches of a restart. Collective over its communicator.

    Of the columns of a restart ``before``, of the same case, the constants are taken where the same ones move.

    Raises
    ------
    InputError
        On every rank, where no column moves; where a variable is missing or cannot be what it should; where the
        constants have neither set of hydraulic parameters.
    """
    comm = restart.comm
    soil, aquifer = restart.read_soil(None)
    state = restart.read_state([POND, TABLE])
    moves = soil.is_soil & ~soil.is_frozen().any(axis=1)
    n_columns, n_moving = (int(n) for n in comm.allreduce(np.array([soil.is_soil.sum(), moves.sum()])))
    with same_fate(comm):
        if not n_moving:
            raise fault(
                restart.files.states,
                found=f"{n_columns} soil columns, all with ice or frost" if n_columns else "no soil patch",
                expected="soil without ice or frost: other columns are left as they are",
                do="start from a restart of another season or region",
            )
    check = _Check(restart, moves, n_moving)
    check.state(AQUIFER.name, aquifer, np.abs(aquifer) <= LARGEST_AQUIFER, "a deficit in mm, 0 or less")
    check.state(
        AQUIFER.name,
        aquifer,
        aquifer <= MOST_SURPLUS,
        "a deficit in mm, 0 or less",
        "run the case with the variably saturated scheme (DEF_USE_VariablySaturatedFlow): the older one keeps metres "
        "of water there",
    )
    check.state(POND.name, state[POND.name], _within(state[POND.name], 0.0, MOST_STANDING), "0 to 10000 mm")
    check.state(TABLE.name, state[TABLE.name], _within(state[TABLE.name], 0.0, DEEPEST_TABLE), "0 to 10000 m")
    water = (soil.liquid, state[POND.name], aquifer, state[TABLE.name])
    is_known = before is not None and np.array_equal(moves, before.columns.moves)
    if comm.allreduce(is_known, op=MPI.LAND) and before is not None:
        return replace(before, restart=restart, state=make_state(before.columns, *water))
    patch_class, classification = restart.land_cover()
    igbp = classes(patch_class, _table_of_classes(restart, classification))
    cover, roots = cover_and_roots(igbp, interface_depth)
    relation, hydraulics = _hydraulics(restart, soil, check)
    columns = make_columns(
        hydraulics.is_campbell,
        hydraulics.layers,
        1.0e3 * node_depth,
        1.0e3 * thickness,
        cover,
        roots,
        _most_pond(restart),
        moves,
    )
    every = gather_rows(comm, moves, restart.offsets)
    all_patches = restart.all_patches
    return OwnColumns(
        restart=restart,
        columns=columns,
        state=make_state(columns, *water),
        elevation=_elevation(restart),
        vegetation=igbp,
        hydraulics=relation,
        patches=restart.patches.with_soil(moves),
        all_patches=None if all_patches is None or every is None else all_patches.with_soil(every),
        n_columns=n_columns,
        n_frozen=n_columns - n_moving,
    )


class _Check:
    """Refuses the first column that moves and does not hold a rule: the same on any number of ranks."""

    def __init__(self, restart: Colm202xRestart, moves: BoolArray, n_moving: int) -> None:
        self.restart, self.moves, self.n_moving = restart, moves, n_moving

    def state(self, name: str, values: FloatArray, holds: BoolArray, expected: str, do: str = DAMAGED) -> None:
        """Of a variable of the state, (n_own, ...). Collective."""
        self._refuse(name, values, holds, expected, do, self.restart.place_in_state)

    def const(
        self, name: str, values: FloatArray | IntArray, holds: BoolArray, expected: str, do: str = DAMAGED
    ) -> None:
        """Of a variable of the constants, (n_own, ...). Collective."""
        self._refuse(name, values, holds, expected, do, self.restart.place_in_const)

    def _refuse(
        self,
        name: str,
        values: FloatArray | IntArray,
        holds: BoolArray,
        expected: str,
        do: str,
        place: Callable[[int], tuple[Path, int]],
    ) -> None:
        broken = ~holds & self.moves.reshape(-1, *[1] * (holds.ndim - 1))
        n_broken = self.restart.comm.allreduce(int(broken.any(axis=tuple(range(1, holds.ndim))).sum()))
        with same_fate(self.restart.comm):
            if broken.any():
                at = tuple(int(index) for index in np.argwhere(broken)[0])
                file, patch = place(at[0])
                layer = f" in soil layer {at[1] + 1}" if len(at) > 1 else ""
                raise fault(
                    file,
                    name,
                    found=f"{values[at]:g}{layer} of patch {patch} ({n_broken} such of {self.n_moving} soil columns)",
                    expected=expected,
                    do=do,
                )


def _within(values: FloatArray, least: float, most: float) -> BoolArray:
    return (values >= least) & (values <= most)


def _table_of_classes(restart: Colm202xRestart, classification: str) -> dict[int, int] | None:
    """What stands for the classes of a case where they are not the IGBP's own."""
    if classification == "USGS":
        return IGBP_OF_USGS
    communities = any("_restart_pft_" in path.name for path in restart.copied)
    return IGBP_OF_COMMUNITIES if communities else None


@np.errstate(divide="ignore", over="ignore", invalid="ignore")  # columns that do not move may hold any number
def _hydraulics(restart: Colm202xRestart, soil: SoilColumns, check: _Check) -> tuple[str, Hydraulics]:
    there = {name: restart.has_const(name) for name in (*BOTH, *VAN_GENUCHTEN, *CAMPBELL)}
    names = VAN_GENUCHTEN if all(there[name] for name in VAN_GENUCHTEN) else CAMPBELL
    with same_fate(restart.comm):
        if not all(there[name] for name in (*BOTH, *names)):
            lacking = [name for name, is_there in there.items() if not is_there]
            raise fault(
                restart.consts[0].path,
                found=f"no {', '.join(lacking)}",
                expected=f"{', '.join(BOTH)}, and {', '.join(VAN_GENUCHTEN)} (van Genuchten) or bsw (Campbell)",
                do="use the const files of a case that has its soil hydraulics in them",
            )
    const = restart.read_const([Variable(name, 0, N_SOIL) for name in (*BOTH, *names)])
    entry, saturated = const["psi0"], const["hksati"]
    check.const("psi0", entry, (entry >= LOWEST_ENTRY) & (entry < 0.0), f"{LOWEST_ENTRY:g} to below 0 mm")
    check.const("hksati", saturated, _within(saturated, 1e-12, 10.0), "1e-12 to 10 mm s-1")
    if names is CAMPBELL:
        check.const("bsw", const["bsw"], _within(const["bsw"], 0.5, 50.0), "0.5 to 50")
        return "Campbell", campbell(soil.porosity, soil.residual, saturated, entry, const["bsw"], thickness)
    alpha, n, tortuosity = (const[name] for name in VAN_GENUCHTEN)
    check.const("alpha_vgm", alpha, _within(alpha, 1e-6, 10.0), "1e-06 to 10 mm-1")
    check.const("n_vgm", n, _within(n, 1.01, 20.0), "1.01 to 20")
    conducts_less_when_dry = (n - 1.0) * tortuosity + 2.0 * n > 1.0
    check.const(
        "L_vgm",
        tortuosity,
        _within(tortuosity, -5.0, 10.0) & conducts_less_when_dry,
        "more than (1 - 2n) / (n - 1), at most 10",
    )
    layers = van_genuchten(soil.porosity, soil.residual, saturated, entry, alpha, n, tortuosity, thickness)
    return "van Genuchten", layers


def _most_pond(restart: Colm202xRestart) -> float:
    """Most water that stands on the surface, mm."""

    def read() -> float | None:
        scalars = restart.files.scalars
        if not os.path.lexists(scalars):
            return None
        with opened(scalars) as file:
            most = file.number("pondmx")
        if not 0.0 <= most <= MOST_STANDING:
            do = "use the const files of this case"
            raise fault(scalars, "pondmx", found=f"{most:g}", expected="0 to 10000 mm", do=do)
        return most

    most = from_rank_0(restart.comm, read)
    if most is None and restart.comm.rank == 0:
        log.info("%s is not there: pondmx is taken for %g mm, the model's own", restart.files.scalars, MOST_POND)
    return MOST_POND if most is None else most


def _elevation(restart: Colm202xRestart) -> FloatArray:
    """Height of the own patches, (n_own,) m; 0 where a case has none."""
    if not restart.has_const(ELEVATION.name):
        return np.zeros(restart.patches.n_patch)
    height = restart.read_const([ELEVATION])[ELEVATION.name]
    return np.where(_within(height, -500.0, 9000.0), height, 0.0)
