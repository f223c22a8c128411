"""The images that an analysis saved, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import netCDF4

from imgda_mpi.arrays import FloatArray
from imgda_mpi.errors import fault
from imgda_mpi.grid import Grid
from imgda_mpi.images.netcdf import find_variable, horizontal_grid, in_library, opened, read_values, text_attribute
from imgda_mpi.images.units import to_volumetric


@dataclass(frozen=True)
class SavedAnalysis:
    """Images (ny, nx) of soil moisture in m3 m-3, NaN where missing, and what the file says of them."""

    grid: Grid
    background: FloatArray
    observation: FloatArray
    analysis: FloatArray
    increment: FloatArray
    title: str
    method: str
    time: str
    observation_source: str


def read_diagnostics(path: Path) -> SavedAnalysis:
    """The analysis saved in a diagnostics file.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or has not the images and attributes of a diagnostics file.
    """
    with opened(path) as file:
        background, grid = _image(path, file, "background")
        observation, analysis, increment = (
            _on_grid(path, file, name, grid) for name in ("observation", "analysis", "increment")
        )
        with in_library(path):
            attributes = {name: str(file.getncattr(name)) for name in file.ncattrs()}
    how = [attributes[name] for name in ("error_model", "solver") if name in attributes]
    title, method, time, source = (
        _attribute(path, attributes, name) for name in ("title", "method", "analysis_time", "observation_source")
    )
    method = "/".join(how) or method
    return SavedAnalysis(grid, background, observation, analysis, increment, title, method, time, source)


def read_truth(path: Path, grid: Grid) -> FloatArray:
    """The image ``soil_moisture`` of a CF NetCDF file, (ny, nx) m3 m-3, which must be on the grid.

    Raises
    ------
    InputError
        Where the file is missing or damaged, its units are not volumetric, or its grid is another one.
    """
    with opened(path) as file:
        return _on_grid(path, file, "soil_moisture", grid)


def _image(path: Path, file: netCDF4.Dataset, name: str) -> tuple[FloatArray, Grid]:
    variable = find_variable(path, file, name)
    grid, dimensions = horizontal_grid(path, file, variable)
    if variable.dimensions != dimensions:
        raise fault(
            path,
            name,
            found=f"dimensions ({', '.join(variable.dimensions)})",
            expected=f"({', '.join(dimensions)})",
            do="extract one image, rows first",
        )
    values, units = read_values(path, variable), text_attribute(variable, "units")
    return to_volumetric(values, units, "", None, path=path, variable=name), grid


def _on_grid(path: Path, file: netCDF4.Dataset, name: str, grid: Grid) -> FloatArray:
    image, own = _image(path, file, name)
    if not own.has_cells_of(grid):
        raise fault(
            path, name, found=_describe(own), expected=_describe(grid), do="remap it to the grid of the analysis"
        )
    return image


def _describe(grid: Grid) -> str:
    (ny, nx), lat, lon = grid.shape, grid.latitude, grid.longitude
    return f"a grid of {ny} x {nx} from {lat[0]:g} N, {lon[0]:g} E to {lat[-1]:g} N, {lon[-1]:g} E"


def _attribute(path: Path, attributes: dict[str, str], name: str) -> str:
    if name not in attributes:
        raise fault(
            path, found=f"no attribute {name}", expected="a diagnostics file", do="give the file of an analysis"
        )
    return attributes[name]
