"""Runs of cycles around the stand-ins of CoLM, with their observations and settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from colm_runs import Case, colm202x_case, colm2014_case
from image_files import write_grid
from launch import ENVIRONMENT, contents

from imgda_mpi.grid import Grid
from imgda_mpi.results.run_folder import Cycle, open_run

HOUR = timedelta(hours=1)
SIX = 6 * HOUR
MODEL_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "0"}
"""The stand-in of CoLM202X then repeats its bytes."""


@dataclass(frozen=True)
class Setup:
    """A case, its observed images, and where settings and runs go."""

    case: Case
    folder: Path
    kind: str

    def image(self, time: datetime) -> Path:
        """The observed image of a time."""
        return self.folder / f"images/{time:%Y%m%d%H}.nc"

    def settings(
        self,
        name: str = "run",
        *,
        n: int = 3,
        analyses: int | None = None,
        method: str = "pointwise",
        cycle: str = "",
        keep: str = "6 h",
        model: str = "",
        command: str | None = None,
    ) -> Path:
        """Settings of a run of so many windows of 6 hours, as many of them analysed or fewer."""
        start = self.case.start
        last = start + (n - 1 if analyses is None else analyses - 1) * SIX
        more = 'restart_every = "3 h"\n' if self.kind == "colm2014" else ""
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'method = "{method}"\n'
            f"[cycle]\nstart = {start:%Y-%m-%dT%H:%M:%SZ}\nfirst_analysis = {start:%Y-%m-%dT%H:%M:%SZ}\n"
            f"last_analysis = {last:%Y-%m-%dT%H:%M:%SZ}\nend = {start + n * SIX:%Y-%m-%dT%H:%M:%SZ}\n"
            f'keep_every = "{keep}"\n{cycle}'
            f'[model]\nkind = "{self.kind}"\nnamelist = "{self.case.namelist}"\n'
            f"command = '{command or self.case.command}'\n{more}{model}"
            '[observation]\nkind = "cf"\nfile = "images/%Y%m%d%H.nc"\nvariable = "sm"\n'
            "[errors]\nobservation = 0.04\nallow_few = true\n"
            f'[output]\ndirectory = "{name}"\n'
        )
        return path


def setup202x(folder: Path, example_case: Path, n_images: int = 3) -> Setup:
    """The small case of CoLM202X with images every 6 hours from its start."""
    setup = Setup(colm202x_case(folder / "model", example_case), folder, "colm202x")
    write_images(setup, (setup.case.start + number * SIX for number in range(n_images)))
    return setup


def setup2014(folder: Path, n_images: int = 3) -> Setup:
    """The small site of CoLM2014 with images every 6 hours from its start."""
    setup = Setup(colm2014_case(folder / "model"), folder, "colm2014")
    write_images(setup, (setup.case.start + number * SIX for number in range(n_images)))
    return setup


GRIDS = {
    "colm202x": Grid(np.arange(34.0, 49.0), np.arange(-92.0, 3.0)),
    "colm2014": Grid(np.arange(42.0, 53.0), np.arange(98.0, 119.0)),
}


def write_images(setup: Setup, times: Iterable[datetime]) -> None:
    """Images with coarse patterns that change from time to time."""
    (setup.folder / "images").mkdir(exist_ok=True)
    grid = GRIDS[setup.kind]
    lat, lon = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    for time in times:
        phase = time.timestamp() / 7200.0
        with netCDF4.Dataset(setup.image(time), "w") as file:
            write_grid(file, grid)
            file.createDimension("time", 1)
            hours = file.createVariable("time", "f8", ("time",))
            hours[:], hours.units = 0.0, f"hours since {time:%Y-%m-%d %H:%M:%S}"
            values = file.createVariable("sm", "f8", ("time", "lat", "lon"))
            values.units = "m3 m-3"
            values[0] = 0.25 + 0.06 * np.sin(lat / 3.0 + phase) + 0.05 * np.cos(lon / 5.0 - phase)


def imgda(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The finished command as a user gives it, in a shell of the user's."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=240,
        env=ENVIRONMENT | MODEL_ENVIRONMENT | environment,
        check=False,
    )


def started(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The same, started: it leads a group of processes."""
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT | MODEL_ENVIRONMENT | environment,
        start_new_session=True,
    )


def command(*arguments: object) -> list[str]:
    """The words of the command."""
    return [sys.executable, "-m", "imgda_mpi", *map(str, arguments)]


def cycles(folder: Path) -> list[Cycle]:
    """The complete cycles of a run."""
    return open_run(folder).cycles()


def kept(run: Path, *former: Path, around: Path | None = None) -> dict[str, object]:
    """What has to be the same however a run came about, by its path: all but logs, seconds, ranks and passing names.

    ``former`` are folders that the run has been in, ``around`` that of its model and images where this does not matter.
    """
    found: dict[str, object] = {}
    folders = {run: b"RUN", **dict.fromkeys(former, b"RUN")} | ({} if around is None else {around: b"HERE"})
    for path in sorted((run / "cycles").rglob("*")):
        name = str(path.relative_to(run))
        if path.parent.name == "log":
            continue
        if path.is_symlink():
            found[name] = _without(os.fsencode(path.readlink()), folders)
        elif not path.is_file():
            found[name] = "folder"
        elif path.name == "diagnostics.nc":
            found[name] = {key: value for key, value in contents(path).items() if not is_of_the_job(key)}
        elif path.suffix == ".json":
            found[name] = _kept_of_json(json.loads(_without(path.read_bytes(), folders)))
        else:
            found[name] = _without(path.read_bytes(), folders)
    return found


def _without(content: bytes, folders: dict[Path, bytes]) -> bytes:
    """A content without the names of folders."""
    for folder, word in folders.items():
        content = content.replace(bytes(folder), word)
    return content


def _kept_of_json(found: dict[str, Any]) -> object:
    """Of a record, manifest or mark: folders of attempts have passing names, and diagnostics have seconds."""
    found = {name: value for name, value in found.items() if name not in ("seconds", "ranks")}
    if "outputs" in found:
        found["outputs"] = [entry for entry in found["outputs"] if entry["file"] != "diagnostics.nc"]
        del found["settings"]["output"]
    return found


def is_of_the_job(name: str) -> bool:
    """Whether a part of the diagnostics tells of seconds, ranks and paths."""
    return name in ("/", "stage_time", "peak_memory", "exchange_bytes", "exchange_messages", "rank", "stage")
