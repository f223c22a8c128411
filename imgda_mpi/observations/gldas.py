"""GLDAS-2.1 Noah, 3-hourly, 0.25 degree (GLDAS_NOAH025_3H), as NASA GES DISC distributes it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, opened, resolve
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.image import SURFACE_LAYER, ObservedImage

SURFACE_VARIABLE = "SoilMoi0_10cm_inst"


def read_gldas(file: Path | str, grid: Grid, time: datetime, **how: Any) -> ObservedImage:
    """The 0-10 cm soil moisture of one GLDAS file on the model grid.

    The parameters and the errors are those of `read_cf`, but for the variable and the layer.
    Values are divided by 100: kg m-2 in 0.1 m of soil, at 1000 kg m-3.
    """
    path = resolve(file, time)
    with opened(path) as dataset:
        do = 'take another product with kind = "cf", the name of its variable and its layer'
        find_variable(path, dataset, SURFACE_VARIABLE, do=do)
    # Noah's first layer (Rodell et al. 2004). The files name it only in the variable's name, and hold kg m-2: without
    # the thickness there is no volumetric value.
    return read_cf(path, grid, time, variable=SURFACE_VARIABLE, layer=SURFACE_LAYER, **how)
