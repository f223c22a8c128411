"""The small cases that tools/fuzz.py starts from: between them they have every kind of input.

`columns202x` reads a CF image with mask, field of errors and map of classes; `members202x` an image like GLDAS's and
members as images; `members2014` a table of points and members as restarts; `again2014` a classic NetCDF file of points
and a restart that has been analysed before. Those of other verbs are in tools/fuzz_verbs.py; `reported` has
results of cases, of which a page is made, `verbs` settings that are checked alone.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from netCDF4 import Dataset, date2num

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from colm2014_files import TIME as TIME_2014  # noqa: E402
from colm2014_files import SmallCase  # noqa: E402
from example_blocks import RHO_ICE, TOP_10_CM  # noqa: E402
from fuzz_settings import OTHER_VERBS, SETTINGS  # noqa: E402
from fuzz_verbs import write_columns, write_estimated, write_verified  # noqa: E402
from launch import load  # noqa: E402

from imgda_mpi import cli  # noqa: E402
from imgda_mpi.colm.soil_layers import N_SNOW, thickness  # noqa: E402
from imgda_mpi.example.case import write_case  # noqa: E402
from imgda_mpi.example.files import TIME  # noqa: E402
from imgda_mpi.example.gldas_file import LAYERS, gldas_grid, write_gldas  # noqa: E402
from imgda_mpi.grid import Grid, global_grid  # noqa: E402

ROWS = 32
BLOCKS = ("e000_s90", "w180_n00")
"""That are kept of the example's eight: others are as blocks without land."""

READ = ("restart/2*/*", "restart/const/*_?[0-9]*_*", "landdata/mesh/2005/mesh.nc", "landdata/landpatch/2005/*")
"""What an analysis reads of a case of CoLM202X."""

SITE = (8, 10)
"""Rows and columns of the site of CoLM2014."""

MEMBERS = 4

VERB = {"verified": "verify", "estimated": "errors", "columns": "columns", "reported": "report"}
"""Of a case; `analyse` of others."""

RESULTS = {"an_analysis": "columns202x", "a_verification": "verified", "a_run": "columns"}
"""Folders of `reported`, and the cases that they are results of."""

CHECKED_ALONE = "verbs"
RESULT = {"analyse": "analysis"}
"""Name of a verb's result, else ``result``."""


class Input(NamedTuple):
    """A file of a case, by its path there, and what kind of input it is."""

    case: str
    path: Path
    role: str


def write_cases(folder: Path) -> None:
    """Write all cases into a new folder, each with its undisturbed result beside it; the same bytes every time.

    Raises
    ------
    RuntimeError
        Where one of them is refused as it is.
    """
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    for name, write in WRITTEN.items():
        case, verb = making / name, VERB.get(name, "analyse")
        case.mkdir(parents=True)
        (case / "case.toml").write_text(SETTINGS[name])
        write(case)
        said = _done(verb, case)
        undisturbed, result = making / f"{name}.analysis", case / RESULT.get(verb, "result")
        if result.is_dir():
            result.rename(undisturbed)
        else:
            undisturbed.mkdir()
        (undisturbed / "said.txt").write_text(said)
    _reported(making)
    _verbs(making / CHECKED_ALONE)
    making.rename(folder)


def inputs(cases: Path) -> list[Input]:
    """All inputs of all cases, in the same order everywhere."""
    folders = sorted(path for path in cases.iterdir() if path.suffix != ".analysis")
    return [
        Input(case.name, path.relative_to(case), _role(path.relative_to(case)))
        for case in folders
        for path in sorted(case.rglob("*"))
        if path.is_file()
    ]


def _role(path: Path) -> str:
    if path.parts[0] in RESULTS:
        return "result"
    if "control" in path.parts or "_hist_" in path.name or "_2D_Fluxes_" in path.name:
        return "run"
    if path.suffix == ".toml":
        return "settings"
    if path.stem == "stations":
        return "stations"
    if path.stem in ("weather", "rain"):
        return "weather"
    if "landdata" in path.parts:
        return "landdata"
    if "const" in path.name.lower():
        return "constants"
    if path.parts[0] in ("m1", "m2", "m3", "m4", "ensemble.nc"):
        return "members"
    if path.suffix == ".json":
        return "mark"
    if "restart" in path.parts or "rstTimeVar" in path.name:
        return "restart"
    return "map" if path.name in ("zones.nc", "errors.nc") else "observation"


def _done(verb: str, case: Path) -> str:
    """What a verb says of an undisturbed case."""
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
        status = cli.main([verb, str(case / "case.toml")])
    if status:
        raise RuntimeError(f"{case}: an undisturbed case has been refused: {said.getvalue()}")
    return said.getvalue()


def _columns202x(case: Path) -> None:
    rng, grid = _model(case)
    lat = np.repeat(grid.latitude[:, None], 2 * ROWS, axis=1)
    seen = 0.9 * _surface(case) + 0.02 + 0.02 * rng.standard_normal(lat.shape)
    with _gridded(case / "image_20220602.nc", grid) as file:
        file.createDimension("time", None)
        time = file.createVariable("time", "i4", ("time",))
        time.units = "hours since 1900-01-01 00:00:00"
        time[:] = date2num(TIME.replace(tzinfo=None), time.units)
        moisture = file.createVariable("soil_moisture", "i2", ("time", "lat", "lon"), zlib=True, fill_value=-32768)
        moisture.setncatts({"units": "m3 m-3", "scale_factor": 1e-4, "add_offset": 0.25, "long_name": "0-10 cm"})
        moisture[0] = np.ma.array(np.nan_to_num(seen), mask=np.isnan(seen))
        _image(file, "lsm", np.isfinite(seen).astype("f4"), "1")
    with _gridded(case / "errors.nc", grid) as file:
        _image(file, "sd", 0.03 + 0.02 * np.cos(np.radians(lat)), "m3 m-3")
    with _gridded(case / "zones.nc", grid) as file:
        _image(file, "zone", np.digitize(np.abs(lat), (23.0, 40.0, 60.0)).astype("i2"), "1")


def _members202x(case: Path) -> None:
    rng, grid = _model(case)
    surface, shape = _surface(case), (MEMBERS, *grid.shape)
    drawn = surface + 0.05 * rng.standard_normal((MEMBERS, 1, 1)) + 0.03 * rng.standard_normal(shape)
    with _gridded(case / "ensemble.nc", grid) as file:
        file.createDimension("member", MEMBERS)
        moisture = file.createVariable("soil_moisture", "f4", ("member", "lat", "lon"), zlib=True, fill_value=np.nan)
        moisture.units = "m3 m-3"
        moisture[:] = np.clip(drawn, 0.02, 0.5)
    pixels = gldas_grid(1)
    row = np.abs(pixels.latitude[:, None] - grid.latitude).argmin(axis=1)
    column = np.abs(pixels.longitude[:, None] - grid.longitude).argmin(axis=1)
    seen = np.clip(surface[np.ix_(row, column)] + 0.03 * rng.standard_normal(pixels.shape), 0.02, 0.5)
    path = case / f"GLDAS_NOAH025_3H.A{TIME:%Y%m%d.%H%M}.021.nc4"
    write_gldas(path, TIME, pixels, dict.fromkeys(LAYERS, seen), title="synthetic", history="tools/fuzz_cases.py")


def _members2014(case: Path) -> None:
    site = _site(case)
    for member in range(1, MEMBERS + 1):
        (case / f"m{member}").mkdir()
        other = _site(case, member)
        other.write_state(case / f"m{member}" / "S-rstTimeVar-2022-155-00000")
    latitude, longitude, seen = _points(site)
    lines = [f"{a:.4f},{b:.4f},{c:.4f},2022-06-04T01:00:00Z" for a, b, c in zip(latitude, longitude, seen, strict=True)]
    (case / "points.csv").write_text("\n".join(["lat,lon,sm [m3 m-3],time", *lines, ""]))


def _again2014(case: Path) -> None:
    latitude, longitude, seen = _points(_site(case))
    for again in range(2):  # the second image is of another time and goes into the result of the first
        with Dataset(case / "points.nc", "w", format="NETCDF3_CLASSIC") as file:
            file.createDimension("point", seen.size)
            units = f"minutes since {TIME_2014:%Y-%m-%d} 00:00:00"
            for name, values, unit in (
                ("lat", latitude, "degrees_north"),
                ("lon", longitude, "degrees_east"),
                ("time", np.full(seen.size, 30.0 * again), units),
                ("sm", seen + 0.01 * again, "m3 m-3"),
            ):
                variable = file.createVariable(name, "f4", ("point",))
                variable.units = unit
                variable[:] = values
            file["sm"].coordinates = "time lat lon"
        if not again:
            _done("analyse", case)
            for file in (case / "analysis" / "restart").iterdir():
                file.replace(case / file.name)
            shutil.rmtree(case / "analysis")


def _columns(case: Path) -> None:
    _, grid = _model(case)
    write_columns(case, grid)


def _reported(making: Path) -> None:
    """Results of the other cases."""
    case = making / "reported"
    for name, source in RESULTS.items():
        shutil.copytree(making / f"{source}.analysis", case / name, symlinks=True)
        (case / name / "said.txt").unlink()


def _verbs(folder: Path) -> None:
    folder.mkdir()
    for name, text in OTHER_VERBS.items():
        (folder / f"{name}.toml").write_text(text)


def _model(case: Path) -> tuple[np.random.Generator, Grid]:
    """Write what an analysis reads of a case of CoLM202X."""
    written = write_case(case / "whole", ROWS, TIME)
    for pattern in READ:
        for path in written.glob(pattern):
            if path.name == "mesh.nc" or path.stem.endswith(BLOCKS):
                target = case / "model" / "demo" / path.relative_to(written)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    shutil.rmtree(case / "whole")
    return np.random.default_rng(ROWS), global_grid((ROWS, 2 * ROWS))


def _surface(case: Path) -> np.ndarray:
    """The model's image, (ROWS, 2 ROWS) m3 m-3, NaN where there is no patch."""
    water, area = np.zeros(2 * ROWS**2), np.zeros(2 * ROWS**2)
    model = case / "model" / "demo"
    for block in BLOCKS:
        kinds = ("*restart_2*", "*const*", "landpatch", "patchfrac*")
        files = [next(model.rglob(f"{kind}_{block}.nc")) for kind in kinds]
        state, const, landpatch, fraction = (load(file) for file in files)
        liquid, ice = (state[name][:, N_SNOW : N_SNOW + 4] for name in ("wliq_soisno", "wice_soisno"))
        patch = (liquid / 1000.0 + ice / RHO_ICE) / thickness[:4] @ TOP_10_CM
        weight = fraction["patchfrac_elm"] * (const["patchtype"] == 0)
        np.add.at(water, landpatch["eindex"] - 1, weight * patch)
        np.add.at(area, landpatch["eindex"] - 1, weight)
    return np.where(area > 0, water / np.where(area > 0, area, 1.0), np.nan).reshape(ROWS, 2 * ROWS)


def _gridded(path: Path, grid: Grid) -> Dataset:
    file = Dataset(path, "w", format="NETCDF4")
    for name, values, units in (("lat", grid.latitude, "degrees_north"), ("lon", grid.longitude, "degrees_east")):
        file.createDimension(name, values.size)
        file.createVariable(name, "f8", (name,))[:] = values
        file[name].units = units
    return file


def _image(file: Dataset, name: str, values: np.ndarray, units: str) -> None:
    file.createVariable(name, values.dtype, ("lat", "lon"))[:] = values
    file[name].units = units


def _site(case: Path, member: int = 0) -> SmallCase:
    """Write a site of CoLM2014; members have other water in the same soil."""
    site = SmallCase(*SITE)
    wet = np.random.default_rng(member).uniform(0.3, 0.8, (site.n, 1)) * np.linspace(1.0, 1.1, thickness.size)
    site.state["wliq_soisno"][:, N_SNOW:] = wet * site.porosity * 1000.0 * thickness
    if not member:
        site.write(case)
    return site


def _points(site: SmallCase) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitude, longitude and moisture of points, two in each cell that has soil."""
    is_soil = site.types == 0
    surface = site.state["wliq_soisno"][:, N_SNOW : N_SNOW + 4] / (1000.0 * thickness[:4]) @ TOP_10_CM
    rng = np.random.default_rng(5)
    cells = np.unique(site.cell[is_soil])
    of_cell = np.array([surface[is_soil & (site.cell == cell)].mean() for cell in cells])
    row, column = np.divmod(np.repeat(cells, 2), site.lons.size)
    off = rng.uniform(-0.4, 0.4, (2, row.size))
    seen = np.repeat(of_cell, 2) + 0.03 * rng.standard_normal(row.size)
    return site.lats[row] + off[0], site.lons[column] + off[1], seen


def linked(case: Path, folder: Path) -> Iterator[Path]:
    """Lay out a case in a new folder by hard links, and give its files."""
    for path in sorted(case.rglob("*")):
        target = folder / path.relative_to(case)
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
            yield target


WRITTEN = {
    "columns202x": _columns202x,
    "members202x": _members202x,
    "members2014": _members2014,
    "again2014": _again2014,
    "verified": write_verified,
    "estimated": write_estimated,
    "columns": _columns,
}
"""Cases by their names; each is written into its folder, beside its settings."""
