"""A comparison saved as one NetCDF file: scores and error spectra of every draw, images of the first one."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi import __version__
from imgda_mpi.arrays import FloatArray
from imgda_mpi.comparison_config import Comparison
from imgda_mpi.errors import writing
from imgda_mpi.problem import Problem
from imgda_mpi.verify.experiment import REGIONS, Outcome
from imgda_mpi.workflow.netcdf_file import write_coordinate, write_names, write_variable

MOISTURE = "m3 m-3"

SCORES = {
    "scc": ("spatial correlation with the truth", "1"),
    "ubrmse": ("root mean square error without the bias", MOISTURE),
    "bias": ("analysis minus truth", MOISTURE),
}


def write_comparison(
    path: Path, settings: Comparison, outcomes: list[list[Outcome]], problem: Problem, truth: FloatArray
) -> None:
    """Write the outcomes of all draws, in their order, and the first draw's images. Not collective.

    Raises
    ------
    OutputError
    """
    names, grid = [outcome.name for outcome in outcomes[0]], problem.grid
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = "Comparison of methods on noisy images of a known truth"
        file.source = f"imgda_mpi {__version__}"
        file.noise = settings.noise
        file.n_truths = len(outcomes) // settings.seeds
        file.settings = settings.model_dump_json()
        file.createDimension("draw", len(outcomes))
        file.createDimension("scale", outcomes[0][0].spectrum.size)
        file.createDimension("lat", grid.shape[0])
        file.createDimension("lon", grid.shape[1])
        write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
        write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
        write_names(file, "method", names)
        write_names(file, "region", list(REGIONS))
        dims = ("method", "draw", "region")
        for name, (meaning, units) in SCORES.items():
            values = [
                [[getattr(of_draw[number].scores[region], name) for region in REGIONS] for of_draw in outcomes]
                for number in range(len(names))
            ]
            write_variable(file, name, dims, np.array(values), meaning, units)
        cells = np.array([outcomes[0][0].scores[region].n_cells for region in REGIONS])
        write_variable(file, "n_cells", ("region",), cells, "cells compared", "1")
        seconds = np.array([[of_draw[number].seconds for of_draw in outcomes] for number in range(len(names))])
        write_variable(file, "time_taken", ("method", "draw"), seconds, "wall time for the increment", "s")
        spectra = np.array([[of_draw[number].spectrum for of_draw in outcomes] for number in range(len(names))])
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
        write_variable(
            file, "analysis", ("method", "lat", "lon"), analyses, "soil moisture of each analysis, first draw", MOISTURE
        )
