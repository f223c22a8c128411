"""Errors of three products, saved as one NetCDF file."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi import __version__
from imgda_mpi.faults import writing
from imgda_mpi.netcdf import write_names, write_variable
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.verify.triples import PRODUCTS, TripleErrors


def write_errors(path: Path, found: TripleErrors, settings: str) -> None:
    """Write what three products say of their errors; ``settings`` in force as JSON. Not collective.

    Raises
    ------
    OutputError
    """
    intervals = np.full((4, 2), np.nan) if found.intervals is None else found.intervals
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = "Errors of three products by triple collocation"
        file.source = f"imgda_mpi {__version__}"
        file.settings = settings
        file.createDimension("scale", found.modes.size)
        file.createDimension("bound", 2)
        write_names(file, "product", list(PRODUCTS))
        for name, dims, values, meaning, unit in (
            ("error", ("product",), found.sd, "standard deviation of the errors", MOISTURE),
            ("error_interval", ("product", "bound"), intervals[:3], "its interval of 95 %", MOISTURE),
            ("error_of_scale", ("scale", "product"), found.sd_of_scales, "error that a scale carries", MOISTURE),
            ("white_error", (), np.array(found.white), "white errors of the observation", MOISTURE),
            ("share", (), np.array(found.share), "part of the observation in the coherent errors", "1"),
            ("share_interval", ("bound",), intervals[3], "its interval of 95 %", "1"),
            ("share_of_scale", ("scale",), found.shares_of_scales, "the part at a scale, 1 is the coarsest", "1"),
            ("modes", ("scale",), found.modes, "independent numbers of a scale", "1"),
            ("n_cells", (), np.array(found.n_cells), "cells that all have, of all times", "1"),
            ("n_times", (), np.array(found.n_times), "times at which there are some", "1"),
        ):
            write_variable(file, name, dims, values, meaning, unit)
