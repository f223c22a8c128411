"""A synthetic CoLM202X case on a grid of any size, to measure with: soil on 30 % of the cells, and an observed image.

python tools/synthetic_case.py FOLDER --grid 720x1440 --members 50

writes FOLDER/case.toml and the files it names, the same every time. The state holds what an analysis reads and no more,
about a fifth of a restart of the model. For a case that looks like the Earth there is `imgda_mpi example`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from netCDF4 import Dataset

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.soil_layers import DENSITY_LIQUID, N_SNOW, N_SOIL, thickness
from imgda_mpi.disk import check_free
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, TIME, write_file
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.example.tiles import block_name
from imgda_mpi.grid import Grid, global_grid

SEED = 20220602
LAND_SHARE = 0.3
BLOCK_SIZE = 20  # degrees, 18 x 9 blocks
SOIL_CLASS = 10  # IGBP grassland
NOISE = 0.04  # m3 m-3
POROSITY, RESIDUAL, TEMPERATURE = 0.45, 0.05, 285.0  # m3 m-3, m3 m-3, K

Shape = tuple[int, int]


@dataclass(frozen=True)
class Land:
    """Soil cells of a global grid, one patch each, by block and within a block by cell.

    Parameters
    ----------
    grid : Grid
    cell : (n_patch,) array
        row * nx + column.
    block : (n_patch,) array
        Number of the block, south-west first, eastward, then northward.
    """

    grid: Grid
    cell: IntArray
    block: IntArray

    @cached_property
    def blocks(self) -> list[tuple[str, slice]]:
        """Name and patches of the blocks that have any."""
        numbers, first = np.unique(self.block, return_index=True)
        bounds = np.append(first, self.block.size)
        return [
            (block_name(int(n), BLOCK_SIZE), slice(int(a), int(b)))
            for n, a, b in zip(numbers, bounds[:-1], bounds[1:], strict=True)
        ]


def write_case(directory: Path, shape: Shape, members: int) -> Path:
    """Write the case, seconds for a million cells.

    Parameters
    ----------
    directory : Path
        New or empty. Gets ``model/``, ``observation.nc`` and ``case.toml``.
    shape : (int, int)
        Rows and columns of the global grid, 32 at least.
    members : int
        Perturbed members of each kind.

    Returns
    -------
    Path
        The settings file.

    Raises
    ------
    OutputError
        Where the directory holds something.
    """
    check_free(directory)
    rng = np.random.default_rng(SEED)
    land = make_land(rng, shape)
    background = 0.25 + 0.05 * np.clip(correlated_field(rng, shape, 10.0), -3.0, 3.0)
    error = 0.03 * np.clip(correlated_field(rng, shape, 3.0), -3.0, 3.0)
    noise = NOISE * np.clip(rng.standard_normal(shape), -2.0, 2.0)
    case = directory / "model" / CASE
    write_landdata(case / "landdata", land)
    write_restart(case / "restart", land, background.ravel()[land.cell])
    write_observation(directory / "observation.nc", land, background + error + noise)
    settings = directory / "case.toml"
    settings.write_text(settings_text(members, "analysis"))
    return settings


def settings_text(members: int, output: str) -> str:
    """Settings of an analysis of the case by `paper` with members, or without any by `innovation/full`."""
    method = f'kind = "paper"\nn_members = {members}' if members else 'kind = "innovation/full"'
    return f"""\
[model]
kind = "colm202x"
directory = "model/{CASE}"
case = "{CASE}"
time = {TIME:%Y-%m-%dT%H:%M:%SZ}

[observation]
kind = "cf"
file = "observation.nc"
variable = "soil_moisture"
layer = [0.0, 0.1]

[method]
{method}

[output]
directory = "{output}"
"""


def make_land(rng: np.random.Generator, shape: Shape) -> Land:
    """Continents where a smooth random field is highest."""
    grid, nx = global_grid(shape), shape[1]
    height = correlated_field(rng, shape, 12.0)
    cell = np.flatnonzero(height > np.quantile(height, 1.0 - LAND_SHARE))
    from_south = ((grid.latitude + 90.0) // BLOCK_SIZE).astype(np.int64)
    from_west = ((grid.longitude + 180.0) // BLOCK_SIZE).astype(np.int64)
    block = from_south[cell // nx] * (360 // BLOCK_SIZE) + from_west[cell % nx]
    order = np.argsort(block, kind="stable")
    return Land(grid, cell[order], block[order])


def write_landdata(directory: Path, land: Land) -> None:
    """Write the coordinates of the grid, and cell and area fraction of every patch."""
    year = str(LAND_COVER_YEAR)
    write_file(
        directory / "mesh" / year / "mesh.nc",
        {"longitude": land.grid.longitude.size, "latitude": land.grid.latitude.size},
        {"longitude": (("longitude",), land.grid.longitude), "latitude": (("latitude",), land.grid.latitude)},
    )
    for name, patches in land.blocks:
        element = land.cell[patches] + 1
        patch_class = np.full(element.size, SOIL_CLASS, dtype=np.int32)
        write_file(
            directory / "landpatch" / year / f"landpatch_{name}.nc",
            {"landpatch": element.size},
            {"eindex": (("landpatch",), element), "settyp": (("landpatch",), patch_class)},
        )
        write_file(
            directory / "landpatch" / year / f"patchfrac_elm_{name}.nc",
            {"patch": element.size},
            {"patchfrac_elm": (("patch",), np.ones(element.size))},
        )


def write_restart(directory: Path, land: Land, moisture: FloatArray) -> None:
    """Write state and constants of every block; ``moisture`` (n_patch,) in m3 m-3 is that of all soil layers."""
    row, column = np.divmod(land.cell, land.grid.longitude.size)
    for name, patches in land.blocks:
        n = patches.stop - patches.start
        liquid = np.zeros((n, N_SNOW + N_SOIL))
        liquid[:, N_SNOW:] = moisture[patches, None] * (DENSITY_LIQUID * thickness)
        temperature = np.zeros_like(liquid)
        temperature[:, N_SNOW:] = TEMPERATURE
        write_file(
            directory / stamp(TIME) / f"{CASE}_restart_{stamp(TIME)}_lc{LAND_COVER_YEAR}_{name}.nc",
            {"patch": n, "soilsnow": N_SNOW + N_SOIL},
            {
                "t_soisno": (("patch", "soilsnow"), temperature),
                "wliq_soisno": (("patch", "soilsnow"), liquid),
                "wice_soisno": (("patch", "soilsnow"), np.zeros_like(liquid)),
                "wa": (("patch",), np.zeros(n)),
            },
        )
        write_file(
            directory / "const" / f"{CASE}_restart_const_lc{LAND_COVER_YEAR}_{name}.nc",
            {"patch": n, "soil": N_SOIL},
            {
                "patchclass": (("patch",), np.full(n, SOIL_CLASS, dtype=np.int32)),
                "patchtype": (("patch",), np.zeros(n, dtype=np.int32)),
                "patchlonr": (("patch",), np.radians(land.grid.longitude[column[patches]])),
                "patchlatr": (("patch",), np.radians(land.grid.latitude[row[patches]])),
                "porsl": (("patch", "soil"), np.full((n, N_SOIL), POROSITY)),
                "theta_r": (("patch", "soil"), np.full((n, N_SOIL), RESIDUAL)),
            },
        )


def write_observation(path: Path, land: Land, moisture: FloatArray) -> None:
    """Write a CF file with an image (ny, nx) in m3 m-3 that has values over land alone."""
    seen = np.full(moisture.size, np.nan, dtype=np.float32)
    seen[land.cell] = moisture.ravel()[land.cell]
    with Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.8"
        for name, values, units in (
            ("time", np.array([TIME.timestamp()]), "seconds since 1970-01-01 00:00:00"),
            ("lat", land.grid.latitude, "degrees_north"),
            ("lon", land.grid.longitude, "degrees_east"),
        ):
            file.createDimension(name, values.size)
            coordinate = file.createVariable(name, "f8", (name,))
            coordinate.units = units
            coordinate[:] = values
        variable = file.createVariable("soil_moisture", "f4", ("time", "lat", "lon"), zlib=True, fill_value=np.nan)
        variable.units = "m3 m-3"
        variable[0] = seen.reshape(moisture.shape)


def parse_grid(text: str) -> Shape:
    """Rows and columns of a grid written as 720x1440.

    Raises
    ------
    ArgumentTypeError
        Where the text is anything else, or the grid is smaller than 32x32.

    >>> parse_grid("720x1440")
    (720, 1440)
    """
    words = re.fullmatch(r"(\d+)x(\d+)", text)
    if words is None or min(map(int, words.groups())) < 32:
        raise argparse.ArgumentTypeError(f"{text} is not rows x columns of 32x32 or more, as 720x1440")
    return int(words[1]), int(words[2])


def main(argv: Sequence[str] | None = None) -> None:
    """Write the case that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a synthetic CoLM202X case on a global grid.")
    parser.add_argument("directory", type=Path, metavar="FOLDER", help="new or empty folder")
    parser.add_argument("--grid", type=parse_grid, required=True, metavar="NYxNX", help="rows x columns, as 720x1440")
    parser.add_argument("--members", type=int, default=50, metavar="N", help="perturbed members of each kind (50)")
    arguments = parser.parse_args(argv)
    settings = write_case(arguments.directory, arguments.grid, arguments.members)
    sys.stdout.write(f"{settings}\n")


if __name__ == "__main__":
    main()
