"""Analyses made for tests of what is read and drawn of them: real methods on made-up images, on any grid."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from every_method import check_method
from mpi4py import MPI

from imgda_mpi.colm.ledger import WaterLedger, ledger_rows
from imgda_mpi.colm.patches import SOIL_TYPE, PatchMap
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.grid import Grid
from imgda_mpi.methods.registry import make_method, needs_transform, scales_by_size
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.report.material import Material, Ran, Wanted
from imgda_mpi.results.analysis_file import Analysis, write_analysis
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_records import Description, FileSet, Record, json_text, stamp

START = datetime(2022, 6, 2, tzinfo=UTC)
SIX = timedelta(hours=6)
GLOBE = Grid(np.linspace(87.5, -87.5, 36), np.arange(0.0, 360.0, 5.0))
REGION = Grid(np.arange(25.5, 50.0), np.arange(235.5, 295.0))  # rows south-north, columns beyond 180 E
STAGES = ["restart", "observation", "increment", "soil", "write"]
VERSIONS = {"python": "3.11", "numpy": "2"}
CURVELET = {"n_scales": None, "n_angles": 16, "finest": "wavelets", "sampling": "fast", "precision": "double"}


def made_images(grid: Grid, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A background with water around it, and an observation with gaps, (ny, nx) m3 m-3."""
    rng = np.random.default_rng(seed)
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    background = 0.25 + 0.1 * np.sin(np.radians(4 * latitude)) * np.cos(np.radians(3 * longitude))
    background[(latitude < -60) | (np.cos(np.radians(2 * longitude)) > 0.8)] = np.nan
    observation = background + 0.03 * np.sin(np.radians(9 * longitude)) + 0.02 * rng.standard_normal(grid.shape)
    observation[10:14] = np.nan
    return background, observation


def write_made_analysis(
    folder: Path,
    grid: Grid = REGION,
    method: str | dict[str, object] = "paper",
    *,
    time: datetime = START,
    is_observed: bool = True,
    n_ranks: int = 1,
    number: int = 0,
    precision: str = "double",
) -> Path:
    """The diagnostics and the manifest of an analysis; the folder. Half of all soil columns take half of it."""
    background, observation = made_images(grid, number)
    section = check_method({"kind": method} if isinstance(method, str) else method)
    values = section.values()
    land = np.isfinite(background)
    observed = land & np.isfinite(observation) & is_observed
    seen = Observations(np.where(observed, observation, 0.0), observed, 0.04)
    problem = Problem(grid, background, land, seen, None, time, 5)
    by_size = not needs_transform(section.kind) or scales_by_size(section.kind)
    curvelet = {**CURVELET, "precision": precision}
    wanted = TransformKind(**curvelet).on(grid, scales_by_size=by_size)
    transform = make_transform(*wanted, MPI.COMM_SELF) if needs_transform(section.kind) else None
    worker = make_method(section.kind, values, transform)
    increment = worker.increment(problem, MPI.COMM_SELF)
    ledger, applied = _ledger(grid, land, np.where(increment.applied, increment.image, 0.0))
    of_settings = {
        "method": json.loads(section.model_dump_json()),
        "model": {"kind": "colm202x", "case": "demo", "directory": str(folder)},
        "errors": {"observation": 0.04, "estimate_observation": False, "seed": 5},
        "curvelet": curvelet,
        "soil": {"compensate": "none"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"source pixels": 4000, "missing": 900, "below range": 60, "above range": 40, "used": 3000}
    counts |= {"cells": land.size, "cells observed": int(observed.sum()), "cells mostly missing": 11}
    image = ObservedImage(
        np.where(observed, observation, np.nan), time, Path("image.nc"), "moisture, instant", "f", (), counts, []
    )
    seconds = np.outer(1.0 + 0.1 * np.arange(n_ranks), [0.2, 0.1, 2.0 + number, 0.3, 0.4])
    used = np.outer(1 + np.arange(n_ranks), [300_000_000, 1000, 10]).astype(np.int64)
    result = Analysis(
        restart=f"CoLM202X case demo at {stamp(time)}",
        settings=json.dumps(of_settings),
        labels=worker.labels,
        fft_plans=None if transform is None else "estimated",
        observation=image if is_observed else None,
        problem=problem,
        increment=increment,
        analysis=background + applied,
        ledger=ledger,
        stages=STAGES,
        seconds=seconds,
        used=used,
    )
    write_analysis(folder / "diagnostics.nc", result)
    inputs = [{"file": "/data/restart.nc", "bytes": 1234, "sha256": "a" * 64}]
    if is_observed:
        inputs.append({"file": "/data/image.nc", "bytes": 5678, "sha256": "b" * 64})
    manifest = {"program": "imgda_mpi", "settings": of_settings, "seed": 5, "versions": VERSIONS, "ranks": n_ranks}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "inputs": inputs, "outputs": inputs[:1]}))
    return folder


def _ledger(grid: Grid, land: np.ndarray, wanted: np.ndarray) -> tuple[WaterLedger, np.ndarray]:
    """Two patches a cell; the second one of every tenth cell is frozen, of every third refuses half of its water."""
    cells = np.repeat(np.flatnonzero(land), 2)
    n = cells.size
    patches = PatchMap(grid, cells, np.ones(n), np.full(n, SOIL_TYPE))
    asked = 100.0 * wanted.ravel()[cells]
    is_second = np.arange(n) % 2 == 1
    frozen = is_second & (np.arange(n) // 2 % 10 == 0)
    bound = is_second & ~frozen & (np.arange(n) // 2 % 3 == 0)
    withheld, refused = np.where(frozen, asked, 0.0), np.where(bound, asked / 2, 0.0)
    before = np.full((n, 1), 60.0)
    after = before + (asked - withheld - refused)[:, None]
    soil = _Of(liquid=before, ice=np.zeros((n, 1)))
    update = _Of(
        liquid=after,
        requested=asked,
        frozen=withheld,
        clamped=refused,
        is_frozen=frozen,
        at_lower=bound & (asked < 0),
        at_upper=bound & (asked > 0),
        unmet=refused / 100.0,
    )
    rows = ledger_rows(soil, update, np.zeros(n), np.zeros(n), np.zeros(n, bool))  # type: ignore[arg-type]
    ledger = WaterLedger(patches, rows)
    return ledger, np.where(land, (ledger.cells("after") - ledger.cells("before")) / 100.0, np.nan)


class _Of:
    """Stands for `SoilColumns` and `SoilUpdate` with what a ledger takes of them."""

    def __init__(self, **values: np.ndarray) -> None:
        self.__dict__.update(values)


def write_made_run(
    folder: Path, n: int, grid: Grid = REGION, passed: tuple[int, ...] = (), **of_analyses: object
) -> Path:
    """A run of so many windows of six hours that begin with an analysis, but those that are passed over."""
    files, end = FileSet({"a.nc": "0"}), START + n * SIX
    is_free = len(passed) == n
    since, until = (None, None) if is_free else (START, START + (n - 1) * SIX)
    described = Description("soil columns of demo", 5, START, end, since, until)
    (folder / "cycles").mkdir(parents=True)
    (folder / "run.json").write_text(json_text({"program": "imgda_mpi", **described.as_json(), "versions": VERSIONS}))
    (folder / "settings.toml").write_text('[cycle]\nwindow = "6 h"\n')
    for number in range(n):
        time = START + number * SIX
        cycle = folder / "cycles" / stamp(time)
        cycle.mkdir()
        is_passed = number in passed
        if not is_passed:
            write_made_analysis(cycle / "analysis", grid, time=time, number=number, **of_analyses)  # type: ignore[arg-type]
        reasons = ("no observation within 3 h",) if is_passed and not is_free else ()
        seconds = {"model": 3.0 + number, "own": 0.01} | ({} if is_passed else {"analysis": 2.0})
        analysis = None if is_passed else files
        record = Record(time, time + SIX, files, None, analysis, files, seconds, reasons)
        (cycle / "cycle.json").write_text(json_text(record.as_json()))
    return folder


def ran_of(folder: Path) -> Ran:
    """A run folder, or the folder of an analysis."""
    if not (folder / "run.json").is_file():
        return Ran(name=folder.name, directory=folder, times=[START], analyses=[folder])
    run = open_run(folder)
    analysed = [cycle for cycle in run.cycles() if cycle.record.analysis is not None]
    return Ran(
        name=folder.name,
        directory=folder,
        run=run,
        times=[cycle.record.time for cycle in analysed],
        analyses=[cycle.directory / "analysis" for cycle in analysed],
    )


def material_of(*folders: Path, **wanted: object) -> Material:
    """What a report of folders is made of, without histories."""
    runs = sorted(map(ran_of, folders), key=lambda ran: bool(ran.analyses))
    return Material(title="made up", folders=folders, wanted=Wanted(**wanted), runs=runs)  # type: ignore[arg-type]
