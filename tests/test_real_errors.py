"""Real products as background, image and judge: their errors are coherent, and nobody knows them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from every_method import check_method
from problems import SELF

from imgda_mpi.arrays import FloatArray
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.methods.registry import make_method, scales_by_size
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.gldas import read_gldas
from imgda_mpi.verify.scores import scores

TIME = datetime(2016, 1, 1, 6, tzinfo=UTC)
GRID = global_grid((128, 256))


@pytest.fixture(scope="module")
def products(shared: Path) -> dict[str, FloatArray]:
    data, layer = shared / "data", {"variable": "soil_moisture", "layer": (0.0, 0.1)}
    read = {
        "GFS October": read_cf(data / "background/gfs_noah_20111011T00.nc", GRID, TIME, **layer),
        "GFS January": read_cf(data / "background/gfs_noah_20110115T12.nc", GRID, TIME, **layer),
        "CFS": read_cf(data / "background/cfs_noah_20060401T00.nc", GRID, TIME, **layer),
        "GLDAS": read_gldas(data / "gldas/GLDAS_NOAH025_3H.A20160101.0600.021.nc4", GRID, TIME),
        "EC-Earth": read_cf(
            next((data / "ecearth3veg_land_hist").glob("mrsos_day_*.nc")),
            GRID,
            datetime(1970, 1, 1, 12, tzinfo=UTC),
            variable="mrsos",
            layer=(0.0, 0.1),
        ),
    }
    return {name: image.values for name, image in read.items()}


def analysed(name: str, background: FloatArray, image: FloatArray, grid: Grid = GRID, **keys: float) -> FloatArray:
    """With the default errors, and the transform of an analysis."""
    kind, _, solver = name.partition("/")
    section = check_method({"kind": kind, **({"solver": solver} if solver else {}), **keys})
    wanted, shape = TransformKind().on(grid, scales_by_size=scales_by_size(kind))
    method = make_method(kind, section.values(), make_transform(wanted, shape, SELF), diagnose=False)
    land = np.isfinite(background)
    observed = land & np.isfinite(image)
    observations = Observations(np.where(observed, image, 0.0), observed, 0.10)
    increment = method.increment(Problem(grid, background, land, observations, None, TIME, 0), SELF)
    return background + np.where(increment.applied, increment.image, 0.0)


@pytest.mark.parametrize(
    ("background", "image", "judge"),
    [
        ("GFS October", "CFS", "GLDAS"),
        ("GFS January", "GLDAS", "EC-Earth"),
        ("CFS", "GLDAS", "EC-Earth"),
        ("GLDAS", "GFS January", "CFS"),
    ],
)
def test_the_default_share_is_no_worse_than_pointwise_and_better_than_nothing(
    background: str, image: str, judge: str, products: dict[str, FloatArray]
) -> None:
    x, y, z = (products[name] for name in (background, image, judge))
    cells = np.isfinite(x) & np.isfinite(y)
    none, pointwise, full = (
        scores(analysis, z, cells).ubrmse
        for analysis in (x, analysed("pointwise", x, y), analysed("innovation/full", x, y))
    )
    assert full < 1.02 * pointwise
    assert full < none


def test_unseen_land_of_a_region_is_as_good_as_by_optimal_interpolation(shared: Path) -> None:
    """ERA5 of two days, noise of 0.04, swaths that leave gaps of 13 pixels of 0.1 degrees."""
    file = shared / "data/western_australia_202001/era5_swvl1_0p1deg_20200101_20200131.nc"
    latitude, longitude = -27.0 - 0.1 * np.arange(51), 116.0 + 0.1 * np.arange(61)
    grid = Grid(latitude, longitude)
    first, last = (
        read_cf(file, grid, datetime(2020, 1, day, 6, tzinfo=UTC), variable="swvl1").values for day in (1, 19)
    )
    first, last = (np.where(image > 0, image, np.nan) for image in (first, last))
    row, column = np.indices(grid.shape)
    land = np.isfinite(first) & np.isfinite(last)
    seen = (column + (0.35 * row).astype(int)) % 22 < 9
    noisy = last + 0.04 * np.random.default_rng(0).standard_normal(grid.shape)
    observations = Observations(np.where(land & seen, noisy, 0.0), land & seen, 0.04)
    problem = Problem(grid, first, land, observations, None, TIME, 0)
    found = {}
    for keys in (
        {"kind": "innovation", "solver": "full", "coherent_share": 0.0},
        *({"kind": "optimal_interpolation", "length": length} for length in (150.0, 300.0, 600.0)),
    ):
        section = check_method(keys)
        wanted, shape = TransformKind().on(grid, scales_by_size=True)
        method = make_method(section.kind, section.values(), make_transform(wanted, shape, SELF), diagnose=False)
        analysis = first + method.increment(problem, SELF).image
        found[keys.get("length", 0.0)] = scores(analysis, last, land & ~seen).ubrmse
    ours = found.pop(0.0)
    assert ours < 1.1 * min(found.values())
    assert ours < 0.75 * scores(first, last, land & ~seen).ubrmse
