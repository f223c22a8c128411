"""A verification at stations saved as one NetCDF file of CF time series, read back, and as a table in CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import PROGRAM
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.netcdf import in_library, opened, write_coordinate, write_names, write_variable, write_words
from imgda_mpi.netcdf.dates import SINCE_1970
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.text_tables import write_rows
from imgda_mpi.verify.day_correlations import DAY, DayCorrelations
from imgda_mpi.verify.lags import Lag
from imgda_mpi.verify.pytesmo_metrics import WINDOW
from imgda_mpi.verify.station_series import AtStations, Places
from imgda_mpi.verify.station_verification import StationResults

SCORES = {
    "correlation": ("correlation with the station over the times", "1"),
    "ubrmse": ("root mean square difference from the station without the bias", MOISTURE),
    "bias": ("run minus station", MOISTURE),
    "rmse": ("root mean square difference from the station", MOISTURE),
    "anomaly_correlation": (f"correlation of departures from a moving mean of {WINDOW} days", "1"),
}
"""Names in files of `imgda_mpi.verify.station_verification.NAMES`, in their order."""

ENDS = {"low": "lower end of the 95 % interval of the ", "high": "upper end of the 95 % interval of the "}

FACTS = ("name", "status", "compared_with", "cell", "matched", "least_pairs", "notes", "counts", "lags")
"""Attributes that are read back."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StationVerification:
    """Everything that became of runs and the stations of one section.

    Parameters
    ----------
    name : of the section
    status : of the stations' data, see `imgda_mpi.verify.status`
    compared_with : of a run, in words
    cell : "nearest" or "bilinear"
    matched : which values of a station belong to a time, in words
    least_pairs : that are needed in a period
    notes : what is to be said of runs and stations
    counts : of files, sensors and stations, and of these left out by reason
    lags : see `imgda_mpi.verify.lags`
    places, series : of the stations that are compared
    rain : at them, (n_times, n_stations) kg m-2 s-1, NaN where it is not known
    periods : first and last moment, by name
    regions : stations that belong to each, (n_stations,), by name; the first one has all
    results : scores
    days : correlations across stations
    """

    name: str
    status: str
    compared_with: str
    cell: str
    matched: str
    least_pairs: int
    notes: Sequence[str]
    counts: Mapping[str, int]
    lags: Sequence[Lag]
    places: Places
    series: AtStations
    rain: FloatArray
    periods: Mapping[str, tuple[datetime, datetime]]
    regions: Mapping[str, BoolArray]
    results: StationResults
    days: DayCorrelations


def write_station_scores(path: Path, found: StationVerification, settings: str) -> None:
    """Write ``scores_stations_NAME.nc``; ``settings`` in force as JSON. Not collective.

    Raises
    ------
    OutputError
    """
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.featureType = "timeSeries"
        file.title = f"Runs beside soil moisture of stations: {found.name}"
        file.source = PROGRAM
        for name in ("name", "status", "compared_with", "cell", "matched", "least_pairs"):
            file.setncattr(name, getattr(found, name))
        file.notes = json.dumps(list(found.notes))
        file.counts = json.dumps(dict(found.counts))
        file.lags = json.dumps([asdict(lag) for lag in found.lags])
        file.settings = settings
        _write_places(file, found.places)
        for dim, names in (("run", found.series.runs), ("period", [*found.periods]), ("region", [*found.regions])):
            write_names(file, dim, list(names))
        _write_series(file, found)
        _write_periods(file, found)
        _write_results(file, found.results)
        _write_days(file, found.days)


def _write_places(file: netCDF4.Dataset, places: Places) -> None:
    write_names(file, "station", list(places.names))
    file["station"].cf_role = "timeseries_id"
    file["station"].long_name = "network and station"
    file.createDimension("bound", 2)
    for name, values, standard, unit in (
        ("lat", places.latitude, "latitude", "degrees_north"),
        ("lon", places.longitude, "longitude", "degrees_east"),
        ("depth", places.depth.mean(axis=1), "depth", "m"),
    ):
        write_variable(file, name, ("station",), values, standard, unit)
        file[name].standard_name = standard
    file["depth"].positive = "down"
    file["depth"].bounds = "depth_bounds"
    write_variable(file, "depth_bounds", ("station", "bound"), places.depth, "top and bottom of what is measured", "m")
    meaning = "top and bottom of what is compared of runs"
    write_variable(file, "compared", ("station", "bound"), places.compared, meaning, "m")
    write_words(file, "network", ("station",), list(places.networks))
    file["network"].long_name = "network of the station"


def _write_series(file: netCDF4.Dataset, found: StationVerification) -> None:
    file.createDimension("time", found.series.seconds.size)
    write_coordinate(file, "time", found.series.seconds, "time", SINCE_1970)
    values, at_stations = found.series.values.swapaxes(1, 2), ("station", "time")
    write_variable(file, "value", ("run", *at_stations), values, "soil moisture of a run", MOISTURE)
    write_variable(file, "measured", at_stations, found.series.measured.T, "soil moisture of the station", MOISTURE)
    write_variable(file, "rain", at_stations, found.rain.T, "rain", "kg m-2 s-1")
    for name in ("value", "measured", "rain"):
        file[name].coordinates = "lat lon depth station"


def _write_periods(file: netCDF4.Dataset, found: StationVerification) -> None:
    ends = np.array([[time.timestamp() for time in period] for period in found.periods.values()])
    write_variable(file, "period_ends", ("period", "bound"), ends, "first and last moment", SINCE_1970)
    members = np.array(list(found.regions.values()), np.int8)
    write_variable(file, "in_region", ("region", "station"), members, "1 where a station belongs to a region", "1")


def _write_results(file: netCDF4.Dataset, results: StationResults) -> None:
    at_stations, over_regions = ("period", "run", "station"), ("period", "run", "region")
    meaning = "times at which the station and all runs have a value"
    write_variable(file, "n_pairs", ("period", "station"), results.n_pairs, meaning, "1")
    write_variable(file, "n_scored", ("period", "region"), results.n_scored, "stations with enough pairs", "1")
    meaning = "times in a block of the bootstrap that intervals are of"
    write_variable(file, "block", ("period",), results.blocks, meaning, "1")
    for number, (name, (meaning, unit)) in enumerate(SCORES.items()):
        mean, difference = f"mean over stations of the {meaning}", f"{meaning}, minus that of the first run"
        write_variable(file, name, at_stations, results.values[number], meaning, unit)
        write_variable(file, f"{name}_mean", over_regions, results.means[number], mean, unit)
        write_variable(
            file, f"{name}_difference_mean", over_regions, results.mean_differences[number], f"mean {difference}", unit
        )
        for end, (which, said) in enumerate(ENDS.items()):
            for prefix, values, of_what in (
                (name, results.ends, meaning),
                (f"{name}_difference", results.difference_ends, difference),
            ):
                write_variable(file, f"{prefix}_{which}", at_stations, values[end, number], said + of_what, unit)
            for prefix, values, of_what in (
                (f"{name}_mean", results.mean_ends, mean),
                (f"{name}_difference_mean", results.mean_difference_ends, f"mean {difference}"),
            ):
                write_variable(file, f"{prefix}_{which}", over_regions, values[end, number], said + of_what, unit)


def _write_days(file: netCDF4.Dataset, days: DayCorrelations) -> None:
    file.createDimension("day", days.days.size)
    write_coordinate(file, "day", (days.days * DAY).astype(np.float64), "time", SINCE_1970)
    meaning = "correlation across stations of the mean of the day minus that of the period"
    write_variable(file, "day_correlation", ("period", "run", "region", "day"), days.values, meaning, "1")
    dims = ("period", "region", "day")
    write_variable(file, "day_stations", dims, days.n_stations, "stations with a value of the day", "1")


def read_station_scores(path: Path) -> StationVerification:
    """What `write_station_scores` wrote. Not collective.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or another one.
    """
    with opened(path, "verify again") as file, in_library(path, do="verify again"):
        file.set_auto_mask(False)
        found: dict[str, Any] = {name: variable[...] for name, variable in file.variables.items()}
        facts = {name: file.getncattr(name) for name in file.ncattrs()}
    missing = [name for name in ("measured", "value", "day_correlation", *SCORES) if name not in found]
    missing += [name for name in FACTS if name not in facts]
    if missing:
        expected, do = "a verification at stations", "give a file scores_stations_NAME.nc"
        raise fault(path, found=f"no {', '.join(missing)}", expected=expected, do=do)
    with understanding(path, "a verification at stations", "verify again"):
        if not np.isfinite(found["time"]).all():
            raise ValueError("times that are no numbers")
        names = {dim: [str(name) for name in found[dim]] for dim in ("station", "network", "run", "period", "region")}
        places = Places(
            names=names["station"],
            networks=names["network"],
            latitude=found["lat"],
            longitude=found["lon"],
            depth=found["depth_bounds"],
            compared=found["compared"],
        )
        series = AtStations(
            runs=names["run"],
            seconds=found["time"],
            values=found["value"].swapaxes(1, 2),
            measured=found["measured"].T,
        )
        ends = [tuple(datetime.fromtimestamp(float(end), UTC) for end in both) for both in found["period_ends"]]
        regions = dict(zip(names["region"], found["in_region"].astype(bool), strict=True))
        return StationVerification(
            name=facts["name"],
            status=facts["status"],
            compared_with=facts["compared_with"],
            cell=facts["cell"],
            matched=facts["matched"],
            least_pairs=int(facts["least_pairs"]),
            notes=json.loads(facts["notes"]),
            counts=json.loads(facts["counts"]),
            lags=[Lag(**lag) for lag in json.loads(facts["lags"])],
            places=places,
            series=series,
            rain=found["rain"].T,
            periods={name: (first, last) for name, (first, last) in zip(names["period"], ends, strict=True)},
            regions=regions,
            results=_results(found),
            days=DayCorrelations(
                np.round(found["day"] / DAY).astype(np.int64), found["day_correlation"], found["day_stations"]
            ),
        )


def _results(found: Mapping[str, Any]) -> StationResults:
    def of(suffix: str) -> FloatArray:
        return np.stack([found[f"{name}{suffix}"] for name in SCORES])

    def ends(suffix: str) -> FloatArray:
        return np.stack([of(f"{suffix}_{which}") for which in ENDS])

    return StationResults(
        n_pairs=found["n_pairs"],
        values=of(""),
        ends=ends(""),
        difference_ends=ends("_difference"),
        blocks=found["block"],
        n_scored=found["n_scored"],
        means=of("_mean"),
        mean_ends=ends("_mean"),
        mean_differences=of("_difference_mean"),
        mean_difference_ends=ends("_difference_mean"),
    )


def write_station_rows(path: Path, found: StationVerification) -> None:
    """Write ``scores_stations_NAME.csv``: a row for each station, period and run. Not collective.

    Raises
    ------
    OutputError
    """
    columns = [
        "station",
        "network",
        "latitude",
        "longitude",
        "depth_top_m",
        "depth_bottom_m",
        "period",
        "run",
        "n_pairs",
    ]
    for name, (_, unit) in SCORES.items():
        with_unit = name if unit == "1" else f"{name}_m3_m-3"
        columns += [with_unit, *(f"{with_unit}_{which}" for which in ENDS)]
        columns += [f"{with_unit}_minus_first", *(f"{with_unit}_minus_first_{which}" for which in ENDS)]
    rows: list[list[str | float]] = []
    results, places = found.results, found.places
    for station, period, run in np.ndindex(len(places.names), len(found.periods), len(found.series.runs)):
        at = (slice(None), period, run, station)
        values, first = results.values[at], results.values[:, period, 0, station]
        of_scores = np.column_stack(
            [
                values,
                results.ends[:, *at].T,
                values - first if run else first * np.nan,
                results.difference_ends[:, *at].T,
            ]
        )
        rows.append(
            [
                places.names[station],
                places.networks[station],
                *(float(number) for number in (places.latitude[station], places.longitude[station])),
                *(float(end) for end in places.depth[station]),
                list(found.periods)[period],
                found.series.runs[run],
                int(results.n_pairs[period, station]),
                *(float(number) for number in of_scores.ravel()),
            ]
        )
    write_rows(path, columns, rows)
