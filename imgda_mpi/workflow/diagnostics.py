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
from imgda_mpi.errors import writing
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.solvers.wedge_statistics import WedgeStatistics
from imgda_mpi.workflow.increment import Increment
from imgda_mpi.workflow.inputs import Inputs
from imgda_mpi.workflow.netcdf_file import write_coordinate, write_names, write_variable

if TYPE_CHECKING:
    import netCDF4

MOISTURE = "m3 m-3"
WATER = "kg m-2"

WEDGE_UNITS = {"gain": "1"}


@dataclass(frozen=True)
class Analysis:
    """What an analysis came to: images (ny, nx) in m3 m-3 on every rank; the ledger on rank 0.

    Parameters
    ----------
    increment : as the method gave it
    analysis : of the analysed restart, after frozen ground and bounds
    """

    inputs: Inputs
    increment: Increment
    analysis: FloatArray
    ledger: WaterLedger | None

    @property
    def unseen(self) -> float:
        """Root mean square increment that the method gave on soil cells that were not observed, m3 m-3."""
        unseen = np.isfinite(self.inputs.background) & ~np.isfinite(self.inputs.innovation)
        return float(np.sqrt(np.mean(self.increment.image[unseen] ** 2))) if unseen.any() else 0.0


def write_diagnostics(path: Path, result: Analysis, settings: Settings, stages: Stages, comm: MPI.Intracomm) -> Path:
    """Write the diagnostics of one analysis. Collective over ``comm``; rank 0 writes.

    Raises
    ------
    OutputError
    """
    seconds = comm.gather(list(stages.seconds.values()))
    used = comm.gather((peak_memory(), result.increment.sent.n_bytes, result.increment.sent.messages))
    with same_fate(comm), writing(path):
        if comm.rank == 0:
            assert seconds is not None
            assert used is not None
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


def _describe(file: netCDF4.Dataset, result: Analysis, settings: Settings, n_ranks: int) -> None:
    file.Conventions = "CF-1.11"
    file.title = "Image assimilation of surface soil moisture into CoLM"
    file.source = f"imgda_mpi {__version__}"
    file.references = "Bai et al. 2026, Geosci. Model Dev. 19, 4977"
    file.restart = result.inputs.restart.name
    file.method = settings.method
    file.analysis_time = f"{settings.model.time:%Y-%m-%dT%H:%M:%SZ}"
    file.observation_source = result.inputs.observation.source if result.inputs.observation else "none"
    file.seed = settings.errors.seed
    file.n_ranks = n_ranks
    file.settings = settings.model_dump_json()
    if result.inputs.transform is not None:
        file.fft_plans = "estimated" if result.inputs.transform.wisdom is None else "measured"
    _describe_update(file, result, settings)


def _describe_update(file: netCDF4.Dataset, result: Analysis, settings: Settings) -> None:
    """What error model and solver say of themselves."""
    increment = result.increment
    # Off the observed cells the diagonal solver leaves only the leakage of its basis functions, which is not applied.
    file.setncattr("increment_leakage_rms" if increment.iterations is None else "increment_unseen_rms", result.unseen)
    if settings.method == "image":
        file.error_model, file.solver = settings.error_model, settings.solver
        file.scales = "all" if settings.scales is None else ", ".join(map(str, settings.scales))
    if increment.observation_sd is not None:
        file.estimated_observation_error = increment.observation_sd
    if increment.inflation is not None:
        file.inflation_by_innovation, file.inflation_by_innovation_standard_error = increment.inflation
    if increment.iterations is not None:
        file.solver_iterations, file.solver_residual = increment.iterations, increment.residual
    if increment.expected is not None:
        file.setncatts({f"expected_error_{name}": value for name, value in vars(increment.expected).items()})


def _write_images(file: netCDF4.Dataset, result: Analysis) -> None:
    grid = result.inputs.restart.patches.grid
    file.createDimension("lat", grid.shape[0])
    file.createDimension("lon", grid.shape[1])
    when = file.createVariable("time", "f8", ())
    when.setncatts({"standard_name": "time", "units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"})
    when[...] = result.inputs.restart.time.timestamp()
    write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
    write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
    observed = result.inputs.observation.values if result.inputs.observation else np.full(grid.shape, np.nan)
    land = np.isfinite(result.inputs.background)
    for name, image, meaning in (
        ("background", result.inputs.background, "soil moisture at 0-10 cm before the analysis"),
        ("observation", observed, "observed soil moisture at 0-10 cm on the model grid"),
        ("innovation", result.inputs.innovation, "observation minus background"),
        ("analysis", result.analysis, "soil moisture at 0-10 cm after the analysis"),
        ("increment", result.analysis - result.inputs.background, "analysis minus background"),
        (
            "proposed_increment",
            np.where(land, result.increment.image, np.nan),
            "increment before bounds, frozen ground, mask",
        ),
    ):
        write_variable(file, name, ("lat", "lon"), image, meaning, MOISTURE)
        file[name].coordinates = "time"
    if result.inputs.members is not None:
        meaning = f"standard deviation over {result.inputs.members.n_members} members of the model"
        write_variable(file, "ensemble_spread", ("lat", "lon"), result.inputs.members.spread, meaning, MOISTURE)
    if result.ledger is None:
        return
    for name, meaning in TERMS.items():
        write_variable(file, f"water_{name}", ("lat", "lon"), result.ledger.cells(name), f"cell mean: {meaning}", WATER)
        file[f"water_{name}"].global_mean = result.ledger.globe(name)


def _write_counts(file: netCDF4.Dataset, result: Analysis) -> None:
    """Numbers per reason: of the observation's pixels and cells, and of patches and cells with a flag."""
    if result.inputs.observation is not None:
        _table(
            file,
            "pixel_reason",
            {"pixel_count": result.inputs.observation.counts},
            "pixels and cells of the observation",
        )
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
