"""Scores over the moments of a period in every cell, as CF NetCDF, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import netCDF4
import numpy as np

from imgda_mpi import PROGRAM
from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import in_library, opened, write_coordinate, write_names
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.results.field_scores_file import write_layers

MEANINGS = {
    "n": ("moments compared", "1"),
    "correlation": ("correlation in time", "1"),
    "ubrmse": ("unbiased root mean square difference in time", MOISTURE),
    "bias": ("mean over time of run minus image", MOISTURE),
}
"""Of the maps of `imgda_mpi.verify.field_scores.CellSums`."""


class MapsWriter:
    """``scores_map_NAME.nc``, written a period at a time; a context manager. Not collective.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """

    def __init__(
        self, path: Path, name: str, grid: Grid, runs: Sequence[str], layers: Sequence[Layer], periods: Sequence[str]
    ) -> None:
        self._path = path
        with writing(path):
            self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
            self._file.Conventions = "CF-1.11"
            self._file.title = "Scores of soil moisture of runs against images in every cell"
            self._file.source = PROGRAM
            self._file.reference_name = name
            self._file.createDimension("lat", grid.shape[0])
            self._file.createDimension("lon", grid.shape[1])
            write_coordinate(self._file, "lat", grid.latitude, "latitude", "degrees_north")
            write_coordinate(self._file, "lon", grid.longitude, "longitude", "degrees_east")
            write_layers(self._file, layers)
            write_names(self._file, "run", list(runs))
            write_names(self._file, "period", list(periods))
            for score, (meaning, units) in MEANINGS.items():
                dims = ("period", *(() if score == "n" else ("run",)), "layer", "lat", "lon")
                self._make(score, dims, grid.shape, meaning, units)

    def _make(self, score: str, dims: tuple[str, ...], shape: tuple[int, int], meaning: str, units: str) -> None:
        chunks = (*(1 for _ in dims[:-2]), *shape)
        kind, fill = ("i4", None) if score == "n" else ("f4", np.nan)
        variable = self._file.createVariable(
            score, kind, dims, zlib=True, complevel=1, chunksizes=chunks, fill_value=fill
        )
        variable.setncatts({"long_name": meaning, "units": units})

    def put(self, period: int, layer: int, maps: Mapping[str, FloatArray]) -> None:
        """The maps of a period and a layer by their numbers, as of `CellSums.maps`.

        Raises
        ------
        OutputError
        """
        with writing(self._path):
            for score, values in maps.items():
                self._file[score][period, ..., layer, :, :] = values

    def __enter__(self) -> MapsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self._path):
            self._file.close()


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreMaps:
    """What a file of scores in every cell holds; the maps are read where they are asked for.

    Parameters
    ----------
    path : of the file
    name : of the images that runs are held against
    grid, runs, layers, periods
    """

    path: Path
    name: str
    grid: Grid
    runs: Sequence[str]
    layers: Sequence[Layer]
    periods: Sequence[str]

    def of(self, period: int, layer: int) -> dict[str, FloatArray]:
        """The maps of a period and a layer by their numbers: "n" (ny, nx), others (n_runs, ny, nx), NaN where missing.

        Raises
        ------
        InputError
            Where the file is damaged.
        """
        with opened(self.path, "verify again") as file, in_library(self.path, do="verify again"):
            file.set_auto_mask(False)
            return {name: np.asarray(file[name][period, ..., layer, :, :], np.float64) for name in MEANINGS}


def open_score_maps(path: Path) -> ScoreMaps:
    """What is in a file that `MapsWriter` wrote. Not collective.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or another one.
    """
    needed = (*MEANINGS, "lat", "lon", "layer_bnds", "run", "period")
    with opened(path, "verify again") as file, in_library(path, do="verify again"):
        file.set_auto_mask(False)
        missing = [name for name in needed if name not in file.variables]
        facts = {name: file.getncattr(name) for name in file.ncattrs()}
        found = {name: file[name][...] for name in needed if name not in (*MEANINGS, *missing)}
    missing += [] if "reference_name" in facts else ["reference_name"]
    if missing:
        expected, do = "scores in every cell", "give a file scores_map_NAME.nc"
        raise fault(path, found=f"no {', '.join(missing)}", expected=expected, do=do)
    with understanding(path, "scores in every cell", "verify again"):
        return ScoreMaps(
            path=path,
            name=str(facts["reference_name"]),
            grid=Grid(np.asarray(found["lat"], np.float64), np.asarray(found["lon"], np.float64)),
            runs=[str(name) for name in found["run"]],
            layers=[(float(top), float(bottom)) for top, bottom in found["layer_bnds"]],
            periods=[str(name) for name in found["period"]],
        )
