"""Files of a comparison on real observations: a small region, days, images with records, stations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
from image_files import write_grid
from mpi4py import MPI

from imgda_mpi.grid import Grid
from imgda_mpi.results.comparison_file import SavedComparison, read_comparison
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.compare import compare

REGION = Grid(12.0 - 0.5 * np.arange(20), -3.0 + 0.5 * np.arange(16))
FIRST = datetime(2020, 5, 1, tzinfo=UTC)
N_DAYS, HOURS = 24, 6  # from record to record
WITHOUT = (3, 10)  # days without an image of the observation

STATIONS = {"wet": (10.1, -1.1), "dry": (8.6, 1.4), "late": (9.0, 0.0), "sea": (5.6, -2.9), "away": (40.0, 0.0)}


@dataclass
class Region:
    """What the files hold: (n_days, ny, nx) m3 m-3, and by station (n_days,)."""

    folder: Path
    background: np.ndarray
    observation: np.ndarray
    judge: np.ndarray
    stations: dict[str, np.ndarray]

    def settings(self, judge: str, more: str = "", output: str = "out") -> Path:
        """A file of settings; ``more`` are lines before its sections."""
        path = self.folder / f"{output}.toml"
        times = f"times = {{first = {FIRST:%Y-%m-%dT%H:%M:%SZ}, last = 2020-05-30T00:00:00Z, step = '1 day'}}\n"
        path.write_text(
            f'methods = ["none", "pointwise", "innovation/full"]\n{times}window = "1 day"\n{more}\n'
            "[background]\nkind = 'cf'\nfile = 'background_%Y%m%d.nc'\nvariable = 'sm'\n"
            "[observation]\nkind = 'cf'\nfile = 'seen_%Y%m%d_*.nc'\nvariable = 'sm'\n"
            f"[judge]\n{JUDGES[judge]}\n[output]\ndirectory = '{output}'\n".replace("'", '"')
        )
        if "grid" not in more:
            path.write_text('grid = "background"\n' + path.read_text())
        return path

    def compared(self, judge: str, more: str = "", output: str = "out") -> SavedComparison:
        """The result of a comparison in this process."""
        compare(read_settings(self.settings(judge, more, output), Comparison), MPI.COMM_SELF)
        return read_comparison(self.folder / output / "comparison.nc")

    @property
    def days(self) -> list[int]:
        """Days that have every image."""
        return [day for day in range(N_DAYS) if day not in WITHOUT]


JUDGES = {
    "image": "kind = 'cf'\nfile = 'judge_%Y%m%d.nc'\nvariable = 'sm'",
    "stations": "kind = 'table'\nfile = 'stations.csv'",
}


def write_region(folder: Path) -> Region:
    """Write all files."""
    rng = np.random.default_rng(3)
    row, column = np.indices(REGION.shape)
    day = np.arange(N_DAYS)[:, None, None]
    truth = 0.25 + 0.06 * np.sin(day / 4.0 + column / 6.0) + 0.05 * np.cos(row / 5.0)
    wave = 0.05 * np.sin(row / 3.0 + day) * np.cos(column / 4.0)
    land = np.where(row + column > 32, np.nan, 1.0) * np.where((row > 11) & (column < 2), np.nan, 1.0)
    background = (truth + wave) * land
    observation = truth + 0.03 * rng.standard_normal(truth.shape)
    observation[:, :, 12] = np.nan
    judge = truth + 0.01 * rng.standard_normal(truth.shape)
    judge[:, 2] = np.nan
    for n in range(N_DAYS):
        date = FIRST + timedelta(days=n)
        # The mean of the records is the image; at one pixel one alone of four has a value, at another three.
        changes = np.array([-0.01, 0.0, 0.02, -0.01])[:, None, None]
        records = np.repeat(background[n][None], 4, axis=0) + changes
        records[1:, 0, 0] = np.nan
        records[0, 5, 5] = np.nan
        write_image(folder / f"background_{date:%Y%m%d}.nc", records, date)
        write_image(folder / f"judge_{date:%Y%m%d}.nc", judge[n][None], date)
        if n not in WITHOUT:
            write_image(folder / f"seen_{date:%Y%m%d}_v{n % 3}.nc", observation[n][None], date)
    background[:, 0, 0] = np.nan
    background[:, 5, 5] += 0.01 / 3.0
    return Region(folder, background, observation, judge, write_stations(folder, truth, rng))


def write_image(path: Path, records: np.ndarray, first: datetime) -> None:
    """Records (n, ny, nx) from a time on."""
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, REGION)
        file.createDimension("time", len(records))
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = f"hours since {first:%Y-%m-%d %H:%M:%S}", HOURS * np.arange(len(records))
        moisture = file.createVariable("sm", "f8", ("time", "lat", "lon"), fill_value=np.nan)
        moisture.units, moisture[:] = "m3 m-3", records


def write_stations(folder: Path, truth: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A table with hourly values; returns their daily means. One station begins late, one fails for a day."""
    lines, means = ["station,time,depth,value,latitude,longitude"], {}
    for name, (latitude, longitude) in STATIONS.items():
        place = np.abs(REGION.latitude - latitude).argmin(), np.abs(REGION.longitude - longitude).argmin()
        means[name] = np.full(N_DAYS, np.nan)
        for n in range(N_DAYS):
            if name == "late" and n < N_DAYS - 5:
                continue
            values = truth[n][place] + 0.02 * rng.standard_normal(24)
            values = values[: 7 if n == 6 else 8 if n == 7 else 24]  # of 24 that are possible
            means[name][n] = values.mean() if values.size >= 8 else np.nan
            for hour, value in enumerate(values):
                time = FIRST + timedelta(days=n, hours=hour)
                lines.append(f"{name},{time:%Y-%m-%dT%H:%M},0.05,{float(value)!r},{latitude},{longitude}")
    (folder / "stations.csv").write_text("\n".join(lines) + "\n")
    return means
