"""A comparison saved as one NetCDF file, and read back: scores and spectra of every draw, images of the first one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import __version__
from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import in_library, opened, write_coordinate, write_names, write_variable
from imgda_mpi.netcdf.dates import SINCE_1970
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.verify.experiment import REGIONS, Outcome
from imgda_mpi.verify.experiment import SCORES as NAMES
from imgda_mpi.verify.station_scores import StationScores, station_scores
from imgda_mpi.verify.trials import Trial, Trials

JUDGES = ("truth", "judge", "stations")
"""What analyses are held against: a truth that observations were made from, another image, or stations."""

SCORES = {
    "scc": ("spatial correlation with it", "1"),
    "ubrmse": ("root mean square error without the bias", MOISTURE),
    "bias": ("analysis minus it", MOISTURE),
}

STATION_SCORES = {
    "station_correlation": ("correlation with the station over the times", "1"),
    "station_ubrmse": ("root mean square difference from the station without the bias", MOISTURE),
    "station_bias": ("analysis minus station", MOISTURE),
}

NUMBERS = ("n_cells", "time_taken", "draw_case", "draw_time", "lat", "lon", *SCORES, "error_spectrum", "expected_error")
IMAGES = ("background", "observation", "analysis")
NOTES = ("judged_by", "noise", "n_passed_over")
OF_STATIONS = ("station_latitude", "station_longitude", "measured", "at_station")


@dataclass(frozen=True, eq=False)
class JudgingStations:
    """Stations that analyses are held against.

    Parameters
    ----------
    names : with the network where it is known
    latitude, longitude : (n,) degrees
    measured : means of their windows, (n_draws, n) m3 m-3, NaN where there is none
    """

    names: Sequence[str]
    latitude: FloatArray
    longitude: FloatArray
    measured: FloatArray


def write_comparison(
    path: Path,
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    trials: Trials,
    *,
    judged_by: str,
    stations: JudgingStations | None,
    n_passed_over: int,
    settings: str,
) -> None:
    """Write the outcomes of all draws, in their order, and the first draw's images. Not collective.

    Parameters
    ----------
    outcomes : of every trial; the first with its analyses
    methods : their names
    trials
    judged_by : one of `JUDGES`
    stations : where they judge
    n_passed_over : times that have no file
    settings : in force, as JSON

    Raises
    ------
    OutputError
    """
    grid = trials.grid
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = "Comparison of methods of assimilation"
        file.source = f"imgda_mpi {__version__}"
        file.judged_by = judged_by
        file.noise = "" if trials.noise is None else str(trials.noise)
        file.n_passed_over = n_passed_over
        file.settings = settings
        file.createDimension("draw", len(outcomes))
        file.createDimension("scale", outcomes[0].spectrum.shape[1])
        file.createDimension("lat", grid.shape[0])
        file.createDimension("lon", grid.shape[1])
        write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
        write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
        write_names(file, "method", list(methods))
        write_names(file, "region", list(REGIONS))
        seconds = np.array([trials.cases[key.case].time.timestamp() for key in trials.keys])
        write_variable(file, "draw_time", ("draw",), seconds, "time of the images", SINCE_1970)
        n_truths = max(key.truth for key in trials.keys) + 1
        cases = np.array([key.case * n_truths + key.truth for key in trials.keys])
        write_variable(file, "draw_case", ("draw",), cases, "number of time and truth; draws differ in the noise", "1")
        found = np.stack([outcome.scores for outcome in outcomes], axis=1)
        for number, name in enumerate(NAMES):
            write_variable(file, name, ("method", "draw", "region"), found[..., number], *SCORES[name])
        n_cells = np.stack([outcome.n_cells for outcome in outcomes])
        write_variable(file, "n_cells", ("draw", "region"), n_cells, "cells compared", "1")
        expected = np.stack([outcome.expected for outcome in outcomes], axis=1)
        meaning = "root mean square error on observed cells that the method itself expects"
        write_variable(file, "expected_error", ("method", "draw"), expected, meaning, MOISTURE)
        taken = np.stack([outcome.seconds for outcome in outcomes], axis=1)
        write_variable(file, "time_taken", ("method", "draw"), taken, "wall time for the increment", "s")
        spectra = np.stack([outcome.spectrum for outcome in outcomes], axis=1)
        meaning = "root mean square error that a curvelet scale carries"
        write_variable(file, "error_spectrum", ("method", "draw", "scale"), spectra, meaning, MOISTURE)
        if stations is not None:
            _write_stations(file, stations, np.stack([outcome.at_cells for outcome in outcomes], axis=1))
        _write_images(file, trials.trial(0), judged_by)
        meaning = "soil moisture of each analysis, first draw"
        write_variable(file, "analysis", ("method", "lat", "lon"), np.asarray(outcomes[0].analyses), meaning, MOISTURE)


def _write_images(file: netCDF4.Dataset, first: Trial, judged_by: str) -> None:
    problem = first.problem
    observation = np.where(problem.observations.observed, problem.background + problem.innovation.values, np.nan)
    images = {
        "background": (problem.background, "soil moisture of the background, first draw"),
        "observation": (observation, "soil moisture that is observed, first draw"),
    }
    if first.reference is not None:
        images[judged_by] = (first.reference, "soil moisture that analyses are held against, first draw")
    for name, (image, meaning) in images.items():
        write_variable(file, name, ("lat", "lon"), image, meaning, MOISTURE)


def _write_stations(file: netCDF4.Dataset, stations: JudgingStations, estimates: FloatArray) -> None:
    """What the stations have, and every method (n_methods, n_draws, n_stations) has in their cells."""
    write_names(file, "station", list(stations.names))
    for name, values in (("latitude", stations.latitude), ("longitude", stations.longitude)):
        degrees = f"degrees_{'north' if name == 'latitude' else 'east'}"
        write_variable(file, f"station_{name}", ("station",), values, f"{name} of the station", degrees)
    meaning = "mean of the station's valid values"
    write_variable(file, "measured", ("draw", "station"), stations.measured, meaning, MOISTURE)
    meaning = "soil moisture of the analysis in the station's cell"
    write_variable(file, "at_station", ("method", "draw", "station"), estimates, meaning, MOISTURE)
    scored = station_scores(estimates, stations.measured)
    write_variable(file, "n_pairs", ("station",), scored.n_pairs, "times at which all have a value", "1")
    for number, (name, told) in enumerate(STATION_SCORES.items()):
        values = np.full(estimates.shape[::2], np.nan)
        values[:, scored.used] = scored.values[number]
        write_variable(file, name, ("method", "station"), values, *told)


@dataclass(frozen=True, eq=False)
class SavedComparison:
    """Scores (n_methods, n_draws, n_regions), and what else the file holds; regions: all land, observed, unseen.

    Parameters
    ----------
    names : methods, with their length where several are tried
    judged_by : one of `JUDGES`
    noise : in words, empty where observations are real
    n_passed_over : times without a file
    case : number of time and truth of each draw, ascending, (n_draws,)
    times : of the draws, (n_draws,) s since 1970
    n_cells : (n_draws, n_regions)
    expected : errors on observed cells that methods expect, (n_methods, n_draws) m3 m-3; NaN of most methods
    seconds : (n_methods, n_draws)
    spectrum : (n_methods, n_draws, n_scales), m3 m-3
    images : background, observation, truth or image of the judge, and each analysis of the first draw, (ny, nx) m3 m-3
    stations : None where they do not judge
    at_stations : (n_methods, n_draws, n_stations) m3 m-3, of no stations where they do not judge
    """

    names: list[str]
    judged_by: str
    noise: str
    n_passed_over: int
    case: IntArray
    times: FloatArray
    n_cells: IntArray
    scc: FloatArray
    ubrmse: FloatArray
    bias: FloatArray
    expected: FloatArray
    seconds: FloatArray
    spectrum: FloatArray
    grid: Grid
    images: dict[str, FloatArray]
    stations: JudgingStations | None
    at_stations: FloatArray

    @cached_property
    def station_scores(self) -> StationScores | None:
        """Of the stations, where they judge."""
        return None if self.stations is None else station_scores(self.at_stations, self.stations.measured)

    @property
    def main_region(self) -> int:
        """All land where it has a truth, else the observed cells."""
        return 0 if self.judged_by == "truth" else 1

    def shown(self) -> list[int]:
        """Methods in their order, of those tried with several lengths the best one."""
        best: dict[str, int] = {}
        for number, name in enumerate(self.names):
            kind = name.split()[0]
            if kind not in best or self._mean(number) < self._mean(best[kind]):
                best[kind] = number
        return sorted(best.values())

    def independent(self, of_draws: FloatArray) -> FloatArray:
        """Independent numbers from those of all draws (n_draws,): the mean of each time and truth if there are several.

        Those that are not defined are left out.
        """
        if self.case[0] != self.case[-1]:
            of_draws = np.array([of_draws[self.case == one].mean() for one in np.unique(self.case)])
        return of_draws[np.isfinite(of_draws)]

    def expected_over_true(self, number: int) -> float:
        """Error that a method expects over the one that it has, on observed cells; NaN where it expects none.

        Root mean squares over all draws, whose truth must be known.
        """
        true = self.ubrmse[number, :, 1] ** 2 + self.bias[number, :, 1] ** 2
        return float(np.sqrt(np.mean(self.expected[number] ** 2) / np.mean(true)))

    def is_tuned(self, number: int) -> bool:
        """Whether a length of the method was chosen with what judges."""
        return " " in self.names[number]

    def _mean(self, number: int) -> float:
        scored = self.station_scores
        values = self.ubrmse[number, :, self.main_region] if scored is None else scored.values[1, number]
        return float(np.nanmean(values))


def read_comparison(path: Path) -> SavedComparison:
    """The comparison saved in a file.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is no comparison.
    """
    with opened(path, "compare again") as file, in_library(path, do="compare again"):
        found: dict[str, Any] = {name: variable[...] for name, variable in file.variables.items()}
        found |= {name: file.getncattr(name) for name in file.ncattrs()}
    missing = [name for name in (*NUMBERS, *IMAGES, "method", *NOTES) if name not in found]
    if missing:
        raise fault(path, found=f"no {', '.join(missing)}", expected="a comparison", do="give the file of a comparison")
    with understanding(path, "a comparison", "compare again"):
        optional = [name for name in (*JUDGES, *OF_STATIONS) if name in found]
        values = {name: np.ma.filled(found[name].astype(np.float64), np.nan) for name in (*NUMBERS, *IMAGES, *optional)}
        names = [str(name) for name in found["method"]]
        images = {name: values[name] for name in ("background", *JUDGES, "observation") if name in values}
    try:
        grid = Grid(values["lat"], values["lon"])
    except ValueError as err:
        found_no, do = f"coordinates that make no grid ({err})", "compare again"
        raise fault(path, "lat, lon", found=found_no, expected="a comparison", do=do) from err
    with understanding(path, "a comparison", "compare again"):
        return SavedComparison(
            names=names,
            judged_by=str(found["judged_by"]),
            noise=str(found["noise"]),
            n_passed_over=int(found["n_passed_over"]),
            case=values["draw_case"].astype(np.int64),
            times=values["draw_time"],
            n_cells=values["n_cells"].astype(np.int64),
            scc=values["scc"],
            ubrmse=values["ubrmse"],
            bias=values["bias"],
            expected=values["expected_error"],
            seconds=values["time_taken"],
            spectrum=values["error_spectrum"],
            grid=grid,
            images=images | dict(zip(names, values["analysis"], strict=True)),
            stations=_stations(found, values),
            at_stations=values.get("at_station", np.empty((len(names), values["draw_case"].size, 0))),
        )


def _stations(found: Mapping[str, Any], values: Mapping[str, FloatArray]) -> JudgingStations | None:
    if "measured" not in values:
        return None
    names = [str(name) for name in found["station"]]
    return JudgingStations(names, values["station_latitude"], values["station_longitude"], values["measured"])
