"""The embedded example has the format of the model's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launch import load
from netCDF4 import Dataset


def header(path: Path, free_sizes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything about a file but its values; sizes of dimensions that differ between cases are left out."""

    def size(name: str, n: int) -> int | str:
        return "any" if name in free_sizes else n

    with Dataset(path) as file:
        variables = []
        for name, variable in file.variables.items():
            chunks = variable.chunking()
            storage = "one chunk" if chunks == list(variable.shape) and variable.ndim else chunks
            described = (variable.dtype, variable.dimensions, variable.endian())
            attributes = {key: type(variable.getncattr(key)) for key in variable.ncattrs()}
            variables.append((name, described, storage, variable.filters(), attributes))
        return {
            "model": file.data_model,
            "attributes": file.ncattrs(),
            "dimensions": [(n, size(n, len(d)), d.isunlimited()) for n, d in file.dimensions.items()],
            "variables": variables,
        }


LANDDATA = [
    "block.nc",
    "pixel.nc",
    "mesh/2005/mesh.nc",
    "mesh/2005/mesh_{block}.nc",
    "landelm/2005/landelm_{block}.nc",
    "landpatch/2005/landpatch_{block}.nc",
    "landpatch/2005/patchfrac_elm_{block}.nc",
]
FREE_SIZES = ("patch", "landpatch", "landelm", "element", "pixel", "longitude", "latitude", "xblk", "yblk")


@pytest.mark.parametrize("name", LANDDATA)
@pytest.mark.parametrize(("real", "block"), [("GL14", "e000_n00"), ("EA14", "e100_n30")])
def test_landdata_have_the_models_format(example: Path, shared: Path, name: str, real: str, block: str) -> None:
    ours = header(example / "model/demo/landdata" / name.format(block="e000_n00"), FREE_SIZES)
    assert ours == header(shared / "colm/colm202x" / real / "landdata" / name.format(block=block), FREE_SIZES)


@pytest.mark.parametrize(("real", "block"), [("GL14", "e000_n00"), ("EA14", "e100_n30")])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("2022-153-21600/demo_restart_2022-153-21600_lc2005_e000_n00.nc", "2022-155-00000/{0}_lc2005_{1}.nc"),
        ("const/demo_restart_const_lc2005.nc", "const/{0}_const_lc2005.nc"),
        ("const/demo_restart_const_lc2005_e000_n00.nc", "const/{0}_const_lc2005_{1}.nc"),
    ],
)
def test_restarts_have_the_models_format(
    example: Path, shared: Path, real: str, block: str, ours: str, theirs: str
) -> None:
    stem = f"{real}_restart" + ("_2022-155-00000" if theirs.startswith("2022") else "")
    there = shared / "colm/colm202x" / real / "restart" / theirs.format(stem, block)
    assert header(example / "model/demo/restart" / ours, ("patch",)) == header(there, ("patch",))


def test_same_files_as_a_global_run_of_the_model(example: Path, shared: Path) -> None:
    def names(root: Path) -> set[str]:
        files = (str(path.relative_to(root)) for path in root.rglob("*.nc") if "hist" not in path.name)
        return {name.replace("GL14", "demo").replace("2022-155-00000", "2022-153-21600") for name in files}

    assert names(example / "model/demo") == names(shared / "colm/colm202x/GL14")


def test_grid_and_blocks_are_those_of_the_global_run(example: Path, shared: Path) -> None:
    for name, variables in {"mesh/2005/mesh.nc": ("latitude", "longitude"), "block.nc": ("lat_s", "lon_e")}.items():
        ours, theirs = (load(root / "landdata" / name) for root in (example / "model/demo", shared_gl14(shared)))
        for variable in variables:
            np.testing.assert_array_equal(ours[variable], theirs[variable])


def shared_gl14(shared: Path) -> Path:
    return shared / "colm/colm202x/GL14"


def test_model_scalars_are_the_models(example: Path, shared: Path) -> None:
    ours = load(example / "model/demo/restart/const/demo_restart_const_lc2005.nc")
    assert ours == load(shared_gl14(shared) / "restart/const/GL14_restart_const_lc2005.nc")


def test_observation_has_the_format_of_gldas(example: Path, shared: Path) -> None:
    real = shared / "data/gldas/GLDAS_NOAH025_3H.A20160101.0600.021.nc4"
    ours, theirs = header(next((example / "observation").iterdir())), header(real)
    theirs["attributes"].remove("NCO")  # left by the tool that cut the real file
    assert ours == theirs
    with Dataset(next((example / "observation").iterdir())) as mine, Dataset(real) as original:
        for name, variable in original.variables.items():
            for key in set(variable.ncattrs()) - {"vmin", "vmax", "begin_date", "begin_time"}:
                np.testing.assert_equal(mine[name].getncattr(key), variable.getncattr(key))
        for name in ("lat", "lon"):
            np.testing.assert_array_equal(mine[name][:], original[name][:])
