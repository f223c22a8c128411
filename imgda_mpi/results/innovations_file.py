"""Innovations of runs saved as one CF NetCDF file, and read back; and as a table in CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import PROGRAM
from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.netcdf import in_library, opened, write_names, write_variable
from imgda_mpi.netcdf.dates import SINCE_1970
from imgda_mpi.text_tables import write_rows
from imgda_mpi.verify.innovation_scales import STATISTICS as OF_SCALES
from imgda_mpi.verify.innovations import STATISTICS, RunInnovations

TITLE = "Innovations of analyses"

OF_PERIODS = {
    "n_analyses": ("analyses with an observed cell", "1"),
    "n_values": ("observed cells of all analyses", "1"),
    "n_pairs": ("pairs of consecutive analyses", "1"),
    "lag_of_mean": ("correlation of the mean of O-B with that of the analysis before", "1"),
}
"""Of a run, period and region, beside `STATISTICS` and their standard errors, with meaning and unit."""

SERIES, ERROR = "analysis_", "_standard_error"
"""Before the names of statistics of one analysis, and after those of standard errors."""


def write_innovations(path: Path, runs: Sequence[RunInnovations]) -> None:
    """Write innovations of runs with the same regions and periods, at least one of them with analyses. Not collective.

    Dimensions: run, period, region, scale (as many as the run with most of them has), and analysis, of all runs one
    after the other.

    Raises
    ------
    OutputError
    """
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = TITLE
        file.source = PROGRAM
        file.references = "Desroziers et al. 2005, Q. J. R. Meteorol. Soc. 131, 3385"
        file.runs = json.dumps([_in_words(run) for run in runs])
        for dimension, names in (
            ("run", [run.name for run in runs]),
            ("period", list(runs[0].periods)),
            ("region", list(runs[0].regions)),
        ):
            write_names(file, dimension, names)
        n_scales = max(run.shortest_waves.size for run in runs)
        file.createDimension("scale", n_scales)
        file.createDimension("analysis", sum(run.times.size for run in runs))
        _write_analyses(file, runs)
        dims = ("run", "period", "region")
        for name, told in OF_PERIODS.items():
            write_variable(file, name, dims, np.array([getattr(run, name) for run in runs]), *told)
        for name, (meaning, unit) in STATISTICS.items():
            write_variable(file, name, dims, np.array([run.values[name] for run in runs]), meaning, unit)
            errors = np.array([run.errors[name] for run in runs])
            write_variable(file, f"{name}{ERROR}", dims, errors, f"standard error: {meaning}", unit)
        own = np.array([run.own_chi2 for run in runs])
        meaning = "mean chi2 that the method says, with the covariances of all observed cells: 1 expected"
        write_variable(file, "own_chi2", ("run", "period"), own, meaning, "1")
        for name, told in OF_SCALES.items():
            values = np.array([_padded(run.scales.get(name), len(run.periods), n_scales) for run in runs])
            write_variable(file, name, ("run", "period", "scale"), values, *told)
        waves = np.array([_padded(run.shortest_waves[None], 1, n_scales)[0] for run in runs])
        write_variable(file, "shortest_wave", ("run", "scale"), waves, "shortest waves that a scale holds", "m")
        for name, meaning, unit in (
            ("hours", "time between consecutive analyses", "hours"),
            ("n_passed", "moments of an analysis from the first to the last one without one", "1"),
        ):
            write_variable(file, name, ("run",), np.array([getattr(run, name) for run in runs]), meaning, unit)


def _in_words(run: RunInnovations) -> dict[str, Any]:
    return {"method": run.method, "gain": run.gain, "remarks": list(run.remarks)}


def _padded(values: FloatArray | None, n_rows: int, n: int) -> FloatArray:
    padded = np.full((n_rows, n), np.nan)
    if values is not None:
        padded[:, : values.shape[1]] = values
    return padded


def _write_analyses(file: netCDF4.Dataset, runs: Sequence[RunInnovations]) -> None:
    numbers = np.concatenate([np.full(run.times.size, number) for number, run in enumerate(runs)]).astype(np.int32)
    write_variable(file, "analysis_run", ("analysis",), numbers, "number of the run, from 0", "1")
    times = np.concatenate([run.times for run in runs])
    write_variable(file, "time", ("analysis",), times, "time of the analysis", SINCE_1970)
    file["time"].setncatts({"standard_name": "time", "calendar": "standard"})
    dims = ("analysis", "region")
    cells = np.concatenate([run.n_cells for run in runs])
    write_variable(file, "n_cells", dims, cells, "observed cells", "1")
    for name, (meaning, unit) in STATISTICS.items():
        values = np.concatenate([run.series[name] for run in runs])
        write_variable(file, f"{SERIES}{name}", dims, values, f"of one analysis: {meaning}", unit)


def read_innovations(path: Path) -> list[RunInnovations]:
    """The innovations saved in a file, in the order of the runs.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or holds no innovations.
    """
    with opened(path, "verify again") as file, in_library(path, do="verify again"):
        found: dict[str, Any] = {name: variable[...] for name, variable in file.variables.items()}
        attributes = {name: file.getncattr(name) for name in file.ncattrs()}
    wanted = [*OF_PERIODS, *STATISTICS, *OF_SCALES, "analysis_run", "time", "n_cells", "own_chi2", "n_passed"]
    missing = [name for name in wanted if name not in found] or [name for name in ("runs",) if name not in attributes]
    if missing or attributes.get("title") != TITLE:
        said = f"no {missing[0]}" if missing else f"the title '{attributes.get('title')}'"
        raise fault(path, found=said, expected="innovations", do="give innovations.nc of a verification")
    with understanding(path, "innovations", "verify again"):
        names = {name: [str(one) for one in found[name]] for name in ("run", "period", "region")}
        numbers = {
            name: np.ma.filled(values.astype(np.float64), np.nan)
            for name, values in found.items()
            if np.ma.asarray(values).dtype.kind in "fiu"
        }
        words = json.loads(attributes["runs"])
        return [_run(number, names, numbers, words[number]) for number in range(len(names["run"]))]


def _run(
    number: int, names: Mapping[str, Sequence[str]], values: Mapping[str, FloatArray], words: Mapping[str, Any]
) -> RunInnovations:
    own = values["analysis_run"] == number
    waves = values["shortest_wave"][number]
    has_scale = np.isfinite(waves)
    return RunInnovations(
        name=names["run"][number],
        method=str(words["method"]),
        times=values["time"][own],
        regions=tuple(names["region"]),
        periods=tuple(names["period"]),
        n_cells=values["n_cells"][own],
        series={name: values[f"{SERIES}{name}"][own] for name in STATISTICS},
        values={name: values[name][number] for name in STATISTICS},
        errors={name: values[f"{name}{ERROR}"][number] for name in STATISTICS},
        n_analyses=values["n_analyses"][number],
        n_values=values["n_values"][number],
        n_pairs=values["n_pairs"][number],
        lag_of_mean=values["lag_of_mean"][number],
        own_chi2=values["own_chi2"][number],
        scales={name: values[name][number][:, has_scale] for name in OF_SCALES},
        shortest_waves=waves[has_scale],
        hours=float(values["hours"][number]),
        n_passed=int(values["n_passed"][number]),
        gain=str(words["gain"]),
        remarks=tuple(map(str, words["remarks"])),
    )


def write_innovations_table(path: Path, runs: Sequence[RunInnovations]) -> None:
    """Write a row for each run, period and region with an analysis; statistics with their standard errors.

    Raises
    ------
    OutputError
    """
    columns = ["run", "method", "period", "region", *OF_PERIODS, "chi2_of_the_method"]
    for name, (_, unit) in STATISTICS.items():
        with_unit = name if unit == "1" else f"{name}_{unit.replace(' ', '_')}"
        columns += [with_unit, f"{with_unit}{ERROR}"]
    write_rows(path, columns, (row for run in runs for row in _rows(run)))


def _rows(run: RunInnovations) -> list[list[str | float]]:
    rows: list[list[str | float]] = []
    for place in np.ndindex(run.n_analyses.shape):
        if run.n_analyses[place] == 0:
            continue
        row: list[str | float] = [run.name, run.method, run.periods[place[0]], run.regions[place[1]]]
        row += [float(getattr(run, name)[place]) for name in OF_PERIODS]
        row.append(float(run.own_chi2[place[0]]))
        for name in STATISTICS:
            row += [float(run.values[name][place]), float(run.errors[name][place])]
        rows.append(row)
    return rows
