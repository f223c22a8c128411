"""An analysis saved as one CF NetCDF file: what it saw and did, written and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import __version__
from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.ledger import FLAGS, TERMS, WaterLedger
from imgda_mpi.distributed.wedge_statistics import OF_WEDGES, WedgeStatistics
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Increment
from imgda_mpi.netcdf import (
    find_variable,
    horizontal_grid,
    in_library,
    opened,
    read_values,
    text_attribute,
    write_coordinate,
    write_names,
    write_variable,
)
from imgda_mpi.netcdf.dates import SINCE_1970
from imgda_mpi.numerics.problem import Problem
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.units import MOISTURE, to_volumetric
from imgda_mpi.verify.innovations import Images

DIAGNOSTICS = "diagnostics.nc"
"""In the folder of an analysis."""

WATER = "kg m-2"

OF_PART = "increment_by_"
"""Of images that follow a group of features, before its name."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an analysis came to, as rank 0 has it: images (ny, nx) in m3 m-3.

    Parameters
    ----------
    restart : name of the restart
    settings : in force, as JSON
    labels : what names the method
    fft_plans : "estimated" or "measured"; None for methods without a transform
    observation : None where there was none
    problem, increment : as the method got and gave them
    analysis : of the analysed restart, after frozen ground and bounds
    ledger : of the water, on rank 0
    stages : names
    seconds : (n_ranks, n_stages)
    used : (n_ranks, 3) peak memory and sent bytes and messages
    """

    restart: str
    settings: str
    labels: Mapping[str, str]
    fft_plans: str | None
    observation: ObservedImage | None
    problem: Problem
    increment: Increment
    analysis: FloatArray
    ledger: WaterLedger
    stages: list[str]
    seconds: FloatArray
    used: IntArray


def write_analysis(path: Path, result: Analysis) -> None:
    """Write what an analysis came to. Not collective.

    Raises
    ------
    OutputError
    """
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        _describe(file, result)
        _write_images(file, result)
        _write_counts(file, result)
        if result.increment.wedges is not None:
            _write_wedges(file, result.increment.wedges)
        _write_ledger(file, result.ledger)
        _write_ranks(file, result)


def _describe(file: netCDF4.Dataset, result: Analysis) -> None:
    file.Conventions = "CF-1.11"
    file.title = "Image assimilation of surface soil moisture into CoLM"
    file.source = f"imgda_mpi {__version__}"
    file.references = "Bai et al. 2026, Geosci. Model Dev. 19, 4977"
    file.restart = result.restart
    file.analysis_time = f"{result.problem.time:%Y-%m-%dT%H:%M:%SZ}"
    file.observation_source = result.observation.source if result.observation else "none"
    file.seed = result.problem.seed
    file.n_ranks = len(result.seconds)
    file.settings = result.settings
    if result.fft_plans is not None:
        file.fft_plans = result.fft_plans
    facts = result.increment.facts
    file.setncatts({**result.labels, **{name: fact.value for name, fact in facts.items()}})
    file.facts = "\n".join(f"{name} [{fact.unit}]: {fact.meaning}" for name, fact in facts.items())


def _write_images(file: netCDF4.Dataset, result: Analysis) -> None:
    problem, grid = result.problem, result.problem.grid
    file.createDimension("lat", grid.shape[0])
    file.createDimension("lon", grid.shape[1])
    when = file.createVariable("time", "f8", ())
    when.setncatts({"standard_name": "time", "units": SINCE_1970, "calendar": "standard"})
    when[...] = problem.time.timestamp()
    write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
    write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
    observed = result.observation.values if result.observation else np.full(grid.shape, np.nan)
    proposed = np.where(problem.land, result.increment.image, np.nan)
    for name, image, meaning in (
        ("background", problem.background, "soil moisture at 0-10 cm before the analysis"),
        ("observation", observed, "observed soil moisture at 0-10 cm on the model grid"),
        ("innovation", observed - problem.background, "observation minus background"),
        ("analysis", result.analysis, "soil moisture at 0-10 cm after the analysis"),
        ("increment", result.analysis - problem.background, "analysis minus background"),
        ("proposed_increment", proposed, "increment before bounds, frozen ground, mask"),
    ):
        write_variable(file, name, ("lat", "lon"), image, meaning, MOISTURE)
        file[name].coordinates = "time"
    for name, part in result.increment.parts.items():
        meaning = f"what the increment before bounds has by the {name} of the cells"
        image = np.where(problem.land, part, np.nan).astype(np.float32)
        write_variable(file, f"{OF_PART}{name}", ("lat", "lon"), image, meaning, MOISTURE)
    if problem.members is not None:
        meaning = f"standard deviation over {problem.members.n_members} members of the model"
        write_variable(file, "ensemble_spread", ("lat", "lon"), problem.members.spread, meaning, MOISTURE)
    for name, meaning in TERMS.items():
        write_variable(file, f"water_{name}", ("lat", "lon"), result.ledger.cells(name), f"cell mean: {meaning}", WATER)
        file[f"water_{name}"].global_mean = result.ledger.globe(name)


def _write_counts(file: netCDF4.Dataset, result: Analysis) -> None:
    """Numbers per reason: of the observation's pixels and cells, and of patches and cells with a flag."""
    if result.observation is not None:
        counts = {"pixel_count": result.observation.counts}
        _table(file, "pixel_reason", counts, "pixels and cells of the observation")
    patches = {name: result.ledger.n_patches(name) for name in FLAGS}
    cells = {name: result.ledger.n_cells(name) for name in FLAGS}
    _table(file, "update_reason", {"patch_count": patches, "cell_count": cells}, "patches and cells of the update")


def _write_wedges(file: netCDF4.Dataset, wedges: WedgeStatistics) -> None:
    file.createDimension("coefficient_group", wedges.scale.size)
    dims = ("coefficient_group",)
    write_variable(file, "scale", dims, wedges.scale, "curvelet scale, 1 is the coarsest", "1")
    write_variable(file, "wedge", dims, wedges.wedge, "wedge within its scale", "1")
    for name, values in wedges.values.items():
        field, kind = name.rsplit("_", 1)
        statistic = "mean" if kind == "mean" else "standard deviation"
        meaning = f"{statistic} over positions of the {field.replace('_', ' ')}"
        write_variable(file, name, dims, values, meaning, "1" if field == "gain" else "m6 m-6")


def _write_ledger(file: netCDF4.Dataset, ledger: WaterLedger) -> None:
    file.createDimension("patch", ledger.patches.n_patch)
    for name, meaning in TERMS.items():
        write_variable(file, f"patch_water_{name}", ("patch",), ledger.term(name), meaning, WATER)
    for name, meaning in FLAGS.items():
        write_variable(file, f"patch_{name}", ("patch",), ledger.flag(name).astype(np.int8), f"1 where {meaning}", "1")
    meaning = "index of the patch's cell: row * n_lon + column"
    write_variable(file, "patch_cell", ("patch",), ledger.patches.cell, meaning, "1")
    file.water_ledger_residual = ledger.residual


def _write_ranks(file: netCDF4.Dataset, result: Analysis) -> None:
    """What each rank took."""
    used = result.used
    file.createDimension("rank", len(used))
    write_names(file, "stage", result.stages)
    write_variable(file, "stage_time", ("rank", "stage"), result.seconds, "wall time of a stage on a rank", "s")
    for name, values, meaning, units in (
        ("peak_memory", used[:, 0], "most memory that a rank had before the diagnostics were written", "bytes"),
        ("exchange_bytes", used[:, 1], "coefficients that a rank sent to other ranks", "bytes"),
        ("exchange_messages", used[:, 2], "messages with coefficients that a rank sent to other ranks", "1"),
    ):
        write_variable(file, name, ("rank",), values, meaning, units)


def _table(file: netCDF4.Dataset, dim: str, columns: dict[str, Any], meaning: str) -> None:
    reasons = list(next(iter(columns.values())))
    write_names(file, dim, reasons)
    for name, counts in columns.items():
        values = np.array([counts[reason] for reason in reasons], dtype=np.int64)
        write_variable(file, name, (dim,), values, f"number of {meaning} by reason", "1")


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
    time: datetime
    observation_source: str


def read_analysis(path: Path) -> SavedAnalysis:
    """The analysis saved in a diagnostics file.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or has not the images and attributes of a diagnostics file.
    """
    with opened(path, "make the analysis again") as file:
        background, grid = _image(path, file, "background")
        observation, analysis, increment = (
            _on_grid(path, file, name, grid) for name in ("observation", "analysis", "increment")
        )
        with in_library(path):
            attributes = {name: str(file.getncattr(name)) for name in file.ncattrs()}
    wanted = ("title", "method", "analysis_time", "observation_source")
    missing = [name for name in wanted if name not in attributes]
    if missing:
        do = "give the file of an analysis"
        raise fault(path, found=f"no attribute {missing[0]}", expected="a diagnostics file", do=do)
    title, method, time, source = (attributes[name] for name in wanted)
    how = [attributes[name] for name in ("error_model", "solver") if name in attributes]
    method = "/".join(how) or method
    try:
        instant = datetime.fromisoformat(time)
    except ValueError as err:
        do = "give the file of an analysis"
        raise fault(path, "analysis_time", found=f"'{time}'", expected="a time in UTC", do=do) from err
    return SavedAnalysis(grid, background, observation, analysis, increment, title, method, instant, source)


def read_parts(path: Path) -> dict[str, FloatArray]:
    """Parts of an increment, (ny, nx) m3 m-3, by the groups of features that they follow, and "distance": the rest.

    Their sum is the increment before bounds. Empty where the analysis knew of no features.

    Raises
    ------
    InputError
        As of `read_analysis`.
    """
    with opened(path, "make the analysis again") as file:
        proposed, grid = _image(path, file, "proposed_increment")
        parts = {
            name.removeprefix(OF_PART): _on_grid(path, file, name, grid)
            for name in file.variables
            if name.startswith(OF_PART)
        }
    return {**parts, "distance": proposed - sum(parts.values())} if parts else {}


@dataclass(frozen=True, eq=False)
class SavedInnovation:
    """What an analysis saw, did, and worked with.

    Parameters
    ----------
    grid, time
    images : (ny, nx) m3 m-3
    facts : numbers that the method found, by name
    settings : in force, by section
    wedges : statistics of a curvelet method; None of others
    """

    grid: Grid
    time: datetime
    images: Images
    facts: Mapping[str, float]
    settings: Mapping[str, Any]
    wedges: WedgeStatistics | None


def read_innovation(path: Path) -> SavedInnovation:
    """The innovation saved in a diagnostics file, and the errors that it was weighed with.

    Raises
    ------
    InputError
        As of `read_analysis`.
    """
    with opened(path, "make the analysis again") as file:
        innovation, grid = _image(path, file, "innovation")
        names = ["increment", "proposed_increment"]
        increment, proposed = (_on_grid(path, file, name, grid) for name in names)
        has_spread = "ensemble_spread" in file.variables
        spread = _on_grid(path, file, "ensemble_spread", grid) if has_spread else None
        wedges = _read_wedges(path, file) if "wedge" in file.variables else None
        with in_library(path):
            attributes = {name: file.getncattr(name) for name in file.ncattrs()}
    with understanding(path, "a diagnostics file", "give the file of an analysis"):
        names = [line.partition(" ")[0] for line in str(attributes["facts"]).splitlines()]
        facts = {name: float(attributes[name]) for name in names}
        settings = dict(json.loads(attributes["settings"]))
        for section, name in (("method", "kind"), ("errors", "observation"), ("curvelet", "n_scales")):
            settings[section][name]
        time = datetime.fromisoformat(attributes["analysis_time"])
    return SavedInnovation(grid, time, Images(innovation, increment, proposed, spread), facts, settings, wedges)


def _read_wedges(path: Path, file: netCDF4.Dataset) -> WedgeStatistics:
    names = [name for name, variable in file.variables.items() if variable.dimensions == ("coefficient_group",)]
    values = {name: read_values(path, file.variables[name]) for name in names}
    missing = [name for name in OF_WEDGES if name not in values]
    if missing:
        raise fault(
            path, missing[0], found="no such variable", expected="statistics of wedges", do="make the analysis again"
        )
    scale, wedge = (values.pop(name).astype(np.int64) for name in ("scale", "wedge"))
    return WedgeStatistics(scale, wedge, values)


def _image(path: Path, file: netCDF4.Dataset, name: str) -> tuple[FloatArray, Grid]:
    variable = find_variable(path, file, name)
    horizontal = horizontal_grid(path, variable)
    dimensions = horizontal.dimensions
    if variable.dimensions != dimensions:
        raise fault(
            path,
            name,
            found=f"dimensions ({', '.join(variable.dimensions)})",
            expected=f"({', '.join(dimensions)})",
            do="extract one image, rows first",
        )
    return horizontal.ordered(_moisture(path, variable)), horizontal.grid


def _moisture(path: Path, variable: netCDF4.Variable[Any]) -> FloatArray:
    values, units = read_values(path, variable), text_attribute(variable, "units")
    return to_volumetric(values, units, "", None, path=path, variable=variable.name)


def _on_grid(path: Path, file: netCDF4.Dataset, name: str, grid: Grid) -> FloatArray:
    """An image that has to be on a grid."""
    image, own = _image(path, file, name)
    check_grid(path, name, own, grid)
    return image


def check_grid(path: Path, name: str, own: Grid, grid: Grid) -> None:
    """Refuse an image on its ``own`` grid that has not the cells of an analysis.

    Raises
    ------
    InputError
    """
    if not own.has_cells_of(grid):
        raise fault(path, name, found=_extent(own), expected=_extent(grid), do="remap it to the grid of the analysis")


def _extent(grid: Grid) -> str:
    (ny, nx), lat, lon = grid.shape, grid.latitude, grid.longitude
    return f"a grid of {ny} x {nx} from {lat[0]:g} N, {lon[0]:g} E to {lat[-1]:g} N, {lon[-1]:g} E"
