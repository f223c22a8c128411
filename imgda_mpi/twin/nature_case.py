"""A case of CoLM202X that is another nature's: other hydraulic properties of the soil, and another start."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.colm.colm202x import ICE, LIQUID, TEMPERATURE
from imgda_mpi.colm.hdf5 import Columns, OpenFile, opened, shown
from imgda_mpi.colm.soil_layers import DENSITY_LIQUID, FREEZING, N_SOIL, node_depth, thickness
from imgda_mpi.disk import link
from imgda_mpi.faults import fault, writing
from imgda_mpi.numerics.keyed_random import generator
from imgda_mpi.numerics.smooth_fields import smooth_field
from imgda_mpi.twin.pedotransfer import RESIDUAL, hypres

TOPSOIL = 0.3
"""Depth to which soil is topsoil, m."""

FADING = 1.0
"""Depth over which the start of a column passes from the field of the surface to that of the deep soil, m."""

LEAST, MOST = 0.03, 0.97
"""Degree of saturation that a start keeps within."""

TEXTURE = {
    "wf_sand": (0.0, 1.0, ""),
    "wf_clay": (0.0, 1.0, ""),
    "wf_om": (0.0, 1.0, ""),
    "BD_all": (50.0, 3000.0, " kg m-3"),
}
"""What soil is made of: mass fractions and density, and what they can be."""

HYDRAULICS = ("porsl", "theta_r", "alpha_vgm", "n_vgm", "L_vgm", "hksati")


@dataclass(frozen=True)
class OtherStart:
    """How a nature begins otherwise than the model.

    Parameters
    ----------
    deviation : standard deviation of the difference of the degree of saturation, 0 to 1
    length : over which it is alike, km
    seed : of what is random in it
    """

    deviation: float
    length: float
    seed: int


def write_nature_case(files: CaseFiles, directory: Path, start: OtherStart) -> None:
    """Write the case of a nature: that of ``files`` with soil properties by another pedotransfer and another start.

    Of soil patches the constants `HYDRAULICS` are those of Woesten et al. (1999) for their own texture (`TEXTURE`),
    silt being what sand and clay leave; the tortuosity is Mualem's (1976) 0.5. Soil without ice or frost starts with
    the degree of saturation of the restart, between residual water and porosity, plus a smooth random field which is
    another one in the deep soil. All else is copied; landdata are a link. It is a case for soil columns: other
    constants that CoLM derives from the same texture stay as they are. Not collective.

    Raises
    ------
    InputError
        Where the case has no texture of its soil, or no constants of van Genuchten.
    OutputError
    """
    check_texture(files)
    blocks, states, files = list_files(files)
    nature = replace(files, directory=directory)
    with writing(directory):
        nature.states.mkdir(parents=True)
        nature.consts.mkdir()
        link(directory / "landdata", files.directory / "landdata", directory.parent)
        for name in states:
            shutil.copyfile(files.states / name, nature.states / name)
        for path in {files.scalars, *(files.const(block) for block in blocks)}:
            if path.exists():
                shutil.copyfile(path, nature.consts / path.name)
    for block in blocks:
        of = files.block_in(block)
        with writing(nature.const(block)), opened(nature.const(block), "r+", block=of) as const:
            const.write_text("comment", "hydraulic properties by Woesten et al. (1999) in the place of the case's own")
            change = _change(const)
        with writing(nature.state(block)), opened(nature.state(block), "r+", block=of) as state:
            _start(state, change, start)


@dataclass(frozen=True, eq=False)
class _Change:
    """What has been changed in the constants of a block: pores and residual water (n, 10) before and now, places."""

    is_soil: BoolArray
    before: tuple[FloatArray, FloatArray]
    now: tuple[FloatArray, FloatArray]
    latitude: FloatArray
    longitude: FloatArray


def check_texture(files: CaseFiles) -> None:
    """Refuse a case of whose constants no nature can be made. Not collective.

    Raises
    ------
    InputError
        Where a variable is missing, or cannot be what it should in soil.
    """
    blocks, _, files = list_files(files)
    for block in blocks:
        path, of = files.const(block), files.block_in(block)
        with opened(path, block=of) as const:
            lacking = [name for name in (*TEXTURE, *HYDRAULICS) if not const.has(name)]
            is_soil = const.vector("patchtype") == 0
            values = {} if lacking else {name: _layers(const, name)[is_soil] for name in TEXTURE}
        if lacking:
            expected = "texture and van Genuchten's constants of the soil, from which the nature's are made"
            do = "use a case that CoLM202X was set up for with vanGenuchten_Mualem_SOIL_MODEL"
            raise fault(shown(path, of), found=f"no {', '.join(lacking)}", expected=expected, do=do)
        for name, of_soil in values.items():
            low, high, unit = TEXTURE[name]
            wrong = ~((of_soil >= low) & (of_soil <= high))
            if wrong.any():
                do = "use the const files that CoLM wrote for this case"
                found = f"{of_soil[wrong][0]:g} in {wrong.any(axis=1).sum()} of {len(of_soil)} soil patches"
                raise fault(shown(path, of), name, found=found, expected=f"{low:g} to {high:g}{unit}", do=do)


def _change(const: OpenFile) -> _Change:
    is_soil = const.vector("patchtype") == 0
    sand, clay, organic, density = (_layers(const, name)[is_soil] for name in TEXTURE)
    retention = hypres(100.0 * clay, 100.0 * (1.0 - sand - clay), 100.0 * organic, 1e-3 * density, node_depth < TOPSOIL)
    before = _layers(const, "porsl")[is_soil], _layers(const, "theta_r")[is_soil]
    now = retention.porosity, np.full_like(retention.porosity, RESIDUAL)
    values = (*now, retention.alpha, retention.n, np.full_like(retention.n, 0.5), retention.conductivity)
    for name, of_soil in zip(HYDRAULICS, values, strict=True):
        every = _layers(const, name)
        every[is_soil] = of_soil
        const.write(Columns(name, 0, N_SOIL), slice(0, is_soil.size), every)
    latitude, longitude = (np.degrees(const.vector(name)[is_soil]) for name in ("patchlatr", "patchlonr"))
    return _Change(is_soil, before, now, latitude, longitude)


def _start(state: OpenFile, change: _Change, start: OtherStart) -> None:
    patches = slice(0, change.is_soil.size)
    water, ice, temperature = (state.read(name, patches, patches.stop) for name in (LIQUID, ICE, TEMPERATURE))
    of_soil = [values[change.is_soil] for values in (water, ice, temperature)]
    thawed = ((of_soil[1] == 0.0) & (of_soil[2] >= FREEZING)).all(axis=1)
    (pores, least), (new_pores, new_least) = change.before, change.now
    saturation = (of_soil[0] / (DENSITY_LIQUID * thickness) - least) / (pores - least)
    place = change.latitude, change.longitude, start.length
    surface, deep = (smooth_field(*place, generator(start.seed, "start", number)) for number in (0, 1))
    part = np.exp(-node_depth / FADING)
    field = np.outer(surface, part) + np.outer(deep, np.sqrt(1.0 - part**2))
    saturation = np.clip(saturation + start.deviation * field, LEAST, MOST)
    new = (new_least + saturation * (new_pores - new_least)) * DENSITY_LIQUID * thickness
    water[np.flatnonzero(change.is_soil)[thawed]] = new[thawed]
    state.write(LIQUID, patches, water)


def _layers(const: OpenFile, name: str) -> FloatArray:
    """A constant of the soil layers of all patches of a block, (n_patch, 10)."""
    n_patch = const.length(name)
    return const.read(Columns(name, 0, N_SOIL), slice(0, n_patch), n_patch)
