"""A verification at made-up stations of China and the US, for pictures of reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from station_runs import LAYERS, inputs_of, series_of, verified

from imgda_mpi.grid import Grid
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.regions import BOXES

START = datetime(2022, 6, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=12 * n) for n in range(100)]
PERIODS = {"assimilation": (TIMES[0], TIMES[59]), "forecast": (TIMES[60], TIMES[-1])}
GRID = Grid(60.0 - 2.5 * np.arange(21.0), -180.0 + 5.0 * np.arange(72.0))
ROWS, COLUMNS = np.indices(GRID.shape)


def nature(time: datetime, depth: float) -> np.ndarray:
    hours = (time - START) / timedelta(hours=1)
    return 0.25 + 0.1 * np.exp(-depth) * np.sin(hours / 60 + ROWS) * np.cos(hours / 150 + COLUMNS / 4.0)


def control(time: datetime, depth: float) -> np.ndarray:
    hours = (time - START) / timedelta(hours=1)
    return nature(time, depth) + 0.02 + 0.08 * np.sin(hours / 35 + 2 * COLUMNS)


def better(time: datetime, depth: float) -> np.ndarray:
    """Nearer to nature in most rows, farther in others."""
    share = np.where(ROWS % 4 < 3, 0.8, -0.6)
    return share * nature(time, depth) + (1 - share) * control(time, depth)


def places(rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    found = {}
    for name, n in (("China", 12), ("US", 14)):
        south, north, west, east = BOXES[name]
        for number in range(n):
            place = rng.uniform(south + 1, north - 1), rng.uniform(west + 1, east - 1)
            found[f"{name}-{number}"] = round(place[0], 2), round(place[1], 2)
    return found | {"away": (45.0, 7.0)}


def made_stations(
    folder: Path, *, n_runs: int = 2, boxes: bool = True, rains: bool = True, least: int = 20
) -> StationVerification:
    """Of one, two or three runs: control, better, nature itself."""
    rng = np.random.default_rng(7)
    lines = ["network,station,time,depth,value,latitude,longitude"]
    for name, (latitude, longitude) in places(rng).items():
        row, column = np.abs(GRID.latitude - latitude).argmin(), np.abs(GRID.longitude - longitude).argmin()
        for time in TIMES[:: 4 if name == "China-0" else 1]:  # too few of one station
            value = float(nature(time, 0.05)[row, column] + 0.02 * rng.standard_normal())
            lines.append(f"N,{name},{time:%Y-%m-%dT%H:%M},0.05,{value!r},{latitude},{longitude}")
    (folder / "sites.csv").write_text("\n".join(lines) + "\n")
    images = dict(zip(("control", "paper", "nature"), (control, better, nature), strict=True))
    runs = {name: series_of(image, GRID, TIMES) for name, image in list(images.items())[:n_runs]}
    inputs = inputs_of(runs, TIMES, periods=PERIODS, boxes=BOXES if boxes else {}, layers=LAYERS)
    _, found = verified(inputs, folder, file=str(folder / "sites.csv"), least_pairs=least, assimilated=False)
    if not rains:
        return found
    day = np.arange(len(TIMES))[:, None] // 2
    rain = 1e-5 * np.exp(-((day - 20 - np.arange(found.rain.shape[1]) / 20) ** 2))
    return replace(found, rain=rain)
