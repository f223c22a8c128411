"""A comparison saved as one NetCDF file, and read back: scores and spectra of every draw, images of the first one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi import __version__
from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import fault, reading, writing
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import write_coordinate, write_names, write_variable
from imgda_mpi.numerics.problem import Problem
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.verify.experiment import REGIONS, Outcome

SCORES = {
    "scc": ("spatial correlation with the truth", "1"),
    "ubrmse": ("root mean square error without the bias", MOISTURE),
    "bias": ("analysis minus truth", MOISTURE),
}

IMAGES = ("background", "truth", "observation")
NUMBERS = ("n_cells", "scc", "ubrmse", "bias", "time_taken", "error_spectrum", "lat", "lon", *IMAGES, "analysis")
"""Variables of the file."""


def write_comparison(
    path: Path,
    outcomes: list[list[Outcome]],
    problem: Problem,
    truth: FloatArray,
    *,
    noise: float,
    n_truths: int,
    settings: str,
) -> None:
    """Write the outcomes of all draws, in their order, and the first draw's images. Not collective.

    Parameters
    ----------
    outcomes : of every draw, all methods
    problem, truth : of the first draw
    noise : standard deviation of the observation errors, m3 m-3
    settings : in force, as JSON

    Raises
    ------
    OutputError
    """
    grid, of_methods = problem.grid, list(zip(*outcomes, strict=True))
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = "Comparison of methods on noisy images of a known truth"
        file.source = f"imgda_mpi {__version__}"
        file.noise = noise
        file.n_truths = n_truths
        file.settings = settings
        file.createDimension("draw", len(outcomes))
        file.createDimension("scale", outcomes[0][0].spectrum.size)
        file.createDimension("lat", grid.shape[0])
        file.createDimension("lon", grid.shape[1])
        write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
        write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
        write_names(file, "method", [outcome.name for outcome in outcomes[0]])
        write_names(file, "region", list(REGIONS))
        dims = ("method", "draw", "region")
        for name, (meaning, units) in SCORES.items():
            values = [[[getattr(o.scores[region], name) for region in REGIONS] for o in draws] for draws in of_methods]
            write_variable(file, name, dims, np.array(values), meaning, units)
        cells = np.array([outcomes[0][0].scores[region].n_cells for region in REGIONS])
        write_variable(file, "n_cells", ("region",), cells, "cells compared", "1")
        seconds = np.array([[outcome.seconds for outcome in draws] for draws in of_methods])
        write_variable(file, "time_taken", ("method", "draw"), seconds, "wall time for the increment", "s")
        spectra = np.array([[outcome.spectrum for outcome in draws] for draws in of_methods])
        meaning = "root mean square error that a curvelet scale carries"
        write_variable(file, "error_spectrum", ("method", "draw", "scale"), spectra, meaning, MOISTURE)
        observation = np.where(problem.observations.observed, problem.background + problem.innovation.values, np.nan)
        for name, image, meaning in (
            ("background", problem.background, "soil moisture of the background, first draw"),
            ("truth", truth, "soil moisture that is taken for the truth, first draw"),
            ("observation", observation, "noisy image of the truth, first draw"),
        ):
            write_variable(file, name, ("lat", "lon"), image, meaning, MOISTURE)
        analyses = np.stack([outcome.analysis for outcome in outcomes[0] if outcome.analysis is not None])
        meaning = "soil moisture of each analysis, first draw"
        write_variable(file, "analysis", ("method", "lat", "lon"), analyses, meaning, MOISTURE)


@dataclass(frozen=True, eq=False)
class SavedComparison:
    """Scores (n_methods, n_draws, n_regions), and what else the file holds; regions: all land, observed, unseen.

    Parameters
    ----------
    names : methods, with their length where several are tried
    n_truths : each has as many draws, one after the other
    n_cells : by region
    seconds : (n_methods, n_draws)
    spectrum : (n_methods, n_draws, n_scales), m3 m-3
    images : background, truth, observation and each analysis of the first draw, (ny, nx) m3 m-3
    """

    names: list[str]
    noise: float
    n_truths: int
    n_cells: IntArray
    scc: FloatArray
    ubrmse: FloatArray
    bias: FloatArray
    seconds: FloatArray
    spectrum: FloatArray
    grid: Grid
    images: dict[str, FloatArray]

    def shown(self) -> list[int]:
        """Methods in their order, of those tried with several lengths the best one."""
        best: dict[str, int] = {}
        for number, name in enumerate(self.names):
            kind = name.split()[0]
            if kind not in best or self._mean(number) < self._mean(best[kind]):
                best[kind] = number
        return sorted(best.values())

    def independent(self, of_draws: FloatArray) -> FloatArray:
        """Independent numbers from those of all draws (n_draws,): where there are several truths, the mean of each."""
        return of_draws if self.n_truths == 1 else of_draws.reshape(self.n_truths, -1).mean(axis=1)

    def is_tuned(self, number: int) -> bool:
        """Whether a length of the method was chosen with the truth."""
        return " " in self.names[number]

    def _mean(self, number: int) -> float:
        return float(self.ubrmse[number, :, 0].mean())


def read_comparison(path: Path) -> SavedComparison:
    """The comparison saved in a file.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is no comparison.
    """
    with reading(path), netCDF4.Dataset(path) as file:
        found = {name: variable[...] for name, variable in file.variables.items()}
        found |= {name: file.getncattr(name) for name in file.ncattrs()}
    missing = [name for name in (*NUMBERS, "method", "noise", "n_truths") if name not in found]
    if missing:
        raise fault(path, found=f"no {', '.join(missing)}", expected="a comparison", do="give the file of a comparison")
    values = {name: np.ma.filled(found[name].astype(np.float64), np.nan) for name in NUMBERS}
    names = [str(name) for name in found["method"]]
    return SavedComparison(
        names=names,
        noise=float(found["noise"]),
        n_truths=int(found["n_truths"]),
        n_cells=values["n_cells"].astype(np.int64),
        scc=values["scc"],
        ubrmse=values["ubrmse"],
        bias=values["bias"],
        seconds=values["time_taken"],
        spectrum=values["error_spectrum"],
        grid=Grid(values["lat"], values["lon"]),
        images={name: values[name] for name in IMAGES} | dict(zip(names, values["analysis"], strict=True)),
    )
