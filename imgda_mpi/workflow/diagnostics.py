"""What an analysis saw and did, saved as one CF NetCDF file."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from imgda_mpi import __version__
from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.ledger import FLAGS, TERMS, WaterLedger
from imgda_mpi.config import Settings
from imgda_mpi.console import Stages
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.errors import writing
from imgda_mpi.methods.method import Increment
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.workflow.netcdf_file import write_coordinate, write_names, write_variable
from imgda_mpi.workflow.preparation import Prepared

if TYPE_CHECKING:
    import netCDF4

MOISTURE = "m3 m-3"
WATER = "kg m-2"

WEDGE_UNITS = {"gain": "1"}


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an analysis came to: images (ny, nx) in m3 m-3 on every rank; the ledger on rank 0.

    Parameters
    ----------
    prepared : what it started from
    increment : as the method gave it
    analysis : of the analysed restart, after frozen ground and bounds
    """

    prepared: Prepared
    increment: Increment
    analysis: FloatArray
    ledger: WaterLedger | None


def write_diagnostics(path: Path, result: Analysis, settings: Settings, stages: Stages, comm: MPI.Intracomm) -> Path:
    """Write the diagnostics of one analysis. Collective over ``comm``; rank 0 writes.

    Raises
    ------
    OutputError
    """
    seconds = comm.gather(list(stages.seconds.values()))
    used = comm.gather((peak_memory(), result.increment.sent.n_bytes, result.increment.sent.messages))
    with same_fate(comm), writing(path):
        if seconds is not None and used is not None:
            import netCDF4  # on the one rank that writes

            with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
                _describe(file, result, settings, comm.size)
                _write_images(file, result)
                _write_counts(file, result)
                if result.increment.wedges is not None:
                    _write_wedges(file, result.increment.wedges)
                if result.ledger is not None:
                    _write_ledger(file, result.ledger)
                _write_ranks(file, list(stages.seconds), np.array(seconds), np.array(used, np.int64))
    return path


def peak_memory() -> int:
    """Most bytes that this process has had in memory so far, its libraries included."""
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory_in_use() -> int:
    """Bytes that this process has in memory now; where the system does not tell, the most it has had."""
    try:
        resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    except (OSError, StopIteration):
        return peak_memory()
    return int(resident.split()[1]) * 1024


def _describe(file: netCDF4.Dataset, result: Analysis, settings: Settings, n_ranks: int) -> None:
    file.Conventions = "CF-1.11"
    file.title = "Image assimilation of surface soil moisture into CoLM"
    file.source = f"imgda_mpi {__version__}"
    file.references = "Bai et al. 2026, Geosci. Model Dev. 19, 4977"
    file.restart = result.prepared.restart.name
    file.analysis_time = f"{settings.model.time:%Y-%m-%dT%H:%M:%SZ}"
    file.observation_source = result.prepared.observation.source if result.prepared.observation else "none"
    file.seed = settings.errors.seed
    file.n_ranks = n_ranks
    file.settings = settings.model_dump_json()
    if result.prepared.transform is not None:
        file.fft_plans = "estimated" if result.prepared.transform.wisdom is None else "measured"
    facts = result.increment.facts
    file.setncatts({**result.prepared.method.labels, **{name: fact.value for name, fact in facts.items()}})
    file.facts = "\n".join(f"{name} [{fact.unit}]: {fact.meaning}" for name, fact in facts.items())


def _write_images(file: netCDF4.Dataset, result: Analysis) -> None:
    problem = result.prepared.problem
    grid = problem.grid
    file.createDimension("lat", grid.shape[0])
    file.createDimension("lon", grid.shape[1])
    when = file.createVariable("time", "f8", ())
    when.setncatts({"standard_name": "time", "units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"})
    when[...] = result.prepared.restart.time.timestamp()
    write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
    write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
    observation = result.prepared.observation
    observed = observation.values if observation else np.full(grid.shape, np.nan)
    for name, image, meaning in (
        ("background", problem.background, "soil moisture at 0-10 cm before the analysis"),
        ("observation", observed, "observed soil moisture at 0-10 cm on the model grid"),
        ("innovation", observed - problem.background, "observation minus background"),
        ("analysis", result.analysis, "soil moisture at 0-10 cm after the analysis"),
        ("increment", result.analysis - problem.background, "analysis minus background"),
        (
            "proposed_increment",
            np.where(problem.land, result.increment.image, np.nan),
            "increment before bounds, frozen ground, mask",
        ),
    ):
        write_variable(file, name, ("lat", "lon"), image, meaning, MOISTURE)
        file[name].coordinates = "time"
    if problem.members is not None:
        meaning = f"standard deviation over {problem.members.n_members} members of the model"
        write_variable(file, "ensemble_spread", ("lat", "lon"), problem.members.spread, meaning, MOISTURE)
    if result.ledger is None:
        return
    for name, meaning in TERMS.items():
        write_variable(file, f"water_{name}", ("lat", "lon"), result.ledger.cells(name), f"cell mean: {meaning}", WATER)
        file[f"water_{name}"].global_mean = result.ledger.globe(name)


def _write_counts(file: netCDF4.Dataset, result: Analysis) -> None:
    """Numbers per reason: of the observation's pixels and cells, and of patches and cells with a flag."""
    if result.prepared.observation is not None:
        counts = {"pixel_count": result.prepared.observation.counts}
        _table(file, "pixel_reason", counts, "pixels and cells of the observation")
    if result.ledger is not None:
        patches = {name: result.ledger.n_patches(name) for name in FLAGS}
        cells = {name: result.ledger.n_cells(name) for name in FLAGS}
        _table(file, "update_reason", {"patch_count": patches, "cell_count": cells}, "patches and cells of the update")


def _write_wedges(file: netCDF4.Dataset, wedges: WedgeStatistics) -> None:
    file.createDimension("coefficient_group", wedges.scale.size)
    dims = ("coefficient_group",)
    write_variable(file, "scale", dims, wedges.scale, "curvelet scale, 1 is the coarsest", "1")
    write_variable(file, "wedge", dims, wedges.wedge, "wedge within its scale", "1")
    for name, values in wedges.values.items():
        field, kind = name.rsplit("_", 1)
        meaning = (
            f"{'mean' if kind == 'mean' else 'standard deviation'} over positions of the {field.replace('_', ' ')}"
        )
        write_variable(file, name, dims, values, meaning, WEDGE_UNITS.get(field, "m6 m-6"))


def _write_ledger(file: netCDF4.Dataset, ledger: WaterLedger) -> None:
    file.createDimension("patch", ledger.patches.n_patch)
    for name, meaning in TERMS.items():
        write_variable(file, f"patch_water_{name}", ("patch",), ledger.term(name), meaning, WATER)
    for name, meaning in FLAGS.items():
        write_variable(file, f"patch_{name}", ("patch",), ledger.flag(name).astype(np.int8), f"1 where {meaning}", "1")
    write_variable(
        file, "patch_cell", ("patch",), ledger.patches.cell, "index of the patch's cell: row * n_lon + column", "1"
    )
    file.water_ledger_residual = ledger.residual


def _write_ranks(file: netCDF4.Dataset, stages: list[str], seconds: FloatArray, used: IntArray) -> None:
    """What each rank took: seconds by stage (n_ranks, n_stages), and memory, bytes and messages (n_ranks, 3)."""
    file.createDimension("rank", seconds.shape[0])
    write_names(file, "stage", stages)
    write_variable(file, "stage_time", ("rank", "stage"), seconds, "wall time of a stage on a rank", "s")
    for name, values, meaning, units in (
        ("peak_memory", used[:, 0], "most memory that a rank had before the diagnostics were written", "bytes"),
        ("exchange_bytes", used[:, 1], "coefficients that a rank sent to other ranks", "bytes"),
        ("exchange_messages", used[:, 2], "messages with coefficients that a rank sent to other ranks", "1"),
    ):
        write_variable(file, name, ("rank",), values, meaning, units)


def _table(file: netCDF4.Dataset, dim: str, columns: dict[str, Any], meaning: str) -> None:
    reasons = list(next(iter(columns.values())))
    write_names(file, dim, reasons)
    for name, counts in columns.items():
        values = np.array([counts[reason] for reason in reasons], dtype=np.int64)
        write_variable(file, name, (dim,), values, f"number of {meaning} by reason", "1")
