"""Run folders whose analyses have known errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from image_files import write_grid

from imgda_mpi.grid import Grid
from imgda_mpi.results.run_records import Description, FileSet, Record, json_text, stamp, time_text

START = datetime(2022, 6, 2, tzinfo=UTC)
SIX = timedelta(hours=6)
GRID = Grid(np.linspace(50.0, 10.0, 36), np.linspace(90.0, 130.0, 40))
S_B, S_O = 0.06, 0.03
CURVELET = {"n_scales": None, "n_angles": 16, "finest": "wavelets", "sampling": "fast", "precision": "double"}


def pointwise(s_b: Any = S_B, s_o: Any = S_O) -> dict[str, Any]:
    """Settings of an analysis."""
    method = {"kind": "pointwise", "background_error": s_b}
    errors = {"estimate_observation": False, "observation": s_o}
    return {"method": method, "errors": errors, "curvelet": CURVELET, "observation": {"max_time_offset": 3.0}}


def write_diagnostics(
    path: Path,
    time: datetime,
    innovation: np.ndarray,
    increment: np.ndarray,
    settings: dict[str, Any],
    *,
    grid: Grid = GRID,
    facts: dict[str, float] | None = None,
) -> None:
    """What is read of diagnostics, as an analysis writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, grid)
        for name, image in (("innovation", innovation), ("increment", increment), ("proposed_increment", increment)):
            file.createVariable(name, "f8", ("lat", "lon"), fill_value=np.nan)[:] = image
            file[name].units = "m3 m-3"
        file.analysis_time = time_text(time)
        file.settings = json.dumps(settings)
        file.setncatts(facts or {})
        file.facts = "\n".join(f"{name} [1]: a number" for name in facts or {})


def make_run(
    folder: Path,
    n: int,
    *,
    passed: Sequence[int] = (),
    settings: dict[str, Any] | None = None,
    grid: Grid = GRID,
    seed: int = 0,
    image: Callable[[np.random.Generator, int], np.ndarray] | None = None,
) -> Path:
    """A run of so many windows of six hours with an analysis each, but at those that are passed over.

    Errors are white, unless ``image`` makes the innovation of a number; the gain is that of `S_B` and `S_O`.
    """
    rng, files = np.random.default_rng(seed), FileSet({"a.nc": "0"})
    end = START + n * SIX
    description = Description("columns", 1, START, end, START, START + (n - 1) * SIX)
    (folder / "cycles").mkdir(parents=True)
    (folder / "run.json").write_text(json_text({**description.as_json(), "versions": {}}))
    for number in range(n):
        time = START + number * SIX
        cycle = folder / "cycles" / stamp(time)
        cycle.mkdir()
        is_passed = number in passed
        reasons = ("no observation within 3 h",) if is_passed else ()
        record = Record(time, time + SIX, files, None, None if is_passed else files, files, {}, reasons)
        (cycle / "cycle.json").write_text(json_text(record.as_json()))
        white = np.hypot(S_B, S_O) * rng.standard_normal(grid.shape)
        innovation = white if image is None else image(rng, number)
        if not is_passed:
            increment = S_B**2 / (S_B**2 + S_O**2) * innovation
            increment[0] = np.nan
            write_diagnostics(
                cycle / "analysis/diagnostics.nc", time, innovation, increment, settings or pointwise(), grid=grid
            )
    return folder
