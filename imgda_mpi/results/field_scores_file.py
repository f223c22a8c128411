"""Scores of runs against one series of images, moment by moment, as CF NetCDF and in CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import numpy.typing as npt

from imgda_mpi import PROGRAM
from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import fault, understanding, writing
from imgda_mpi.netcdf import in_library, opened, read_values, text_attribute, write_names, write_variable, write_words
from imgda_mpi.netcdf.dates import SINCE_1970
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.units import MOISTURE
from imgda_mpi.text_tables import write_rows
from imgda_mpi.verify.field_scores import SCORES, WEIGHTS

SIDES = ("before", "after")
"""The states before an analysis at this time, and after it or without any."""

MEANINGS = {
    "n": ("cells compared", "1"),
    "scc": ("spatial correlation", "1"),
    "ubrmse": ("unbiased root mean square difference", MOISTURE),
    "bias": ("mean of run minus image", MOISTURE),
    "rmse": ("root mean square difference", MOISTURE),
}

BY_SCALE = {
    "error_by_scale": "root mean square of what a curvelet scale carries of the difference without its mean",
    "correlation_by_scale": "correlation of the curvelet coefficients of a scale",
    "reference_by_scale": "root mean square of what a curvelet scale carries of the image without its mean",
}

DIMENSIONS = ("time", "side", "run", "layer", "region", "weight")

CSV_NAMES = (
    "run",
    "layer_top_m",
    "layer_bottom_m",
    "period",
    "region",
    "weight_of_cells",
    "status",
    "side_of_analysis",
    "n_times",
    "n_cells_mean",
    "scc_mean",
    "ubrmse_mean_m3_m-3",
    "bias_mean_m3_m-3",
    "rmse_mean_m3_m-3",
)


@dataclass(frozen=True, eq=False)
class FieldScores:
    """Scores of runs against one series of images.

    Parameters
    ----------
    name, what : of the images: their name in the settings, and their files
    runs, layers, regions, periods : their names; layers by top and bottom, m
    status : whether the images were assimilated, in words, (n_periods, n_layers)
    times : of the moments at which there are images, ascending
    period : number of the period of each moment, (n_times,)
    scores : (n_times, n_sides, n_runs, n_layers, n_regions, n_weights, n_scores), see `SCORES`; NaN where none
    by_scale : by the names of `BY_SCALE`, (n_times, n_sides, n_runs, n_layers, n_scales), of the reference without
        sides and runs; NaN of moments at which scales are not told apart
    n_times : asked for, of which some may have no image, or not all runs
    pixels : of the images that were read, by what became of them; of products alone
    remarks : what is to be said of what is compared
    """

    name: str
    what: str
    runs: Sequence[str]
    layers: Sequence[Layer]
    regions: Sequence[str]
    periods: Sequence[str]
    status: Sequence[Sequence[str]]
    times: Sequence[datetime]
    period: IntArray
    scores: FloatArray
    by_scale: dict[str, FloatArray]
    n_times: int
    pixels: Mapping[str, int] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def mean(
        self, period: int, side: str, run: int, layer: int, region: int = 0, weight: int = 0
    ) -> tuple[int, FloatArray]:
        """Number of moments of a period with scores, and the mean of the scores over these, (n_scores,); NaN of none.

        Moments without a correlation, for a constant image, do not count for that.
        """
        own = self.scores[self.period == period, SIDES.index(side), run, layer, region, weight]
        n_times = int(np.isfinite(own[:, SCORES.index("bias")]).sum())
        return n_times, mean_of_known(own)

    def mean_by_scale(self, what: str, period: int, side: str, run: int, layer: int) -> FloatArray:
        """Mean over the moments of a period at which scales are told apart, (n_scales,), of a name of `BY_SCALE`.

        Of errors and of the reference it is the root mean square.
        """
        own = self.by_scale[what][self.period == period]
        own = own[:, layer] if what == "reference_by_scale" else own[:, SIDES.index(side), run, layer]
        return mean_of_known(own) if what == "correlation_by_scale" else np.sqrt(mean_of_known(np.square(own)))


def mean_of_known(values: FloatArray) -> FloatArray:
    """Mean over the first axis of those that are no NaN; NaN where there is none."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: FloatArray = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean


def write_field_scores(path: Path, found: FieldScores) -> None:
    """Write ``scores_field_NAME.nc``. Not collective.

    Raises
    ------
    OutputError
    """
    with writing(path), netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = "CF-1.11"
        file.title = "Scores of soil moisture of runs against images"
        file.source = PROGRAM
        file.reference_name = found.name
        file.reference_files = found.what
        file.remarks = "\n".join(found.remarks)
        file.times_asked_for = found.n_times
        file.pixels = json.dumps(dict(found.pixels))
        file.createDimension("time", len(found.times))
        seconds = np.array([time.timestamp() for time in found.times])
        write_variable(file, "time", ("time",), seconds, "time", SINCE_1970)
        file["time"].setncatts({"standard_name": "time", "calendar": "standard"})
        write_layers(file, found.layers)
        names = {"side": SIDES, "run": found.runs, "region": found.regions, "weight": WEIGHTS, "period": found.periods}
        for dimension, own in names.items():
            write_names(file, dimension, list(own))
        write_variable(file, "period_of_time", ("time",), found.period, "number of the period, from 0", "1")
        flags = np.arange(len(found.periods), dtype=found.period.dtype)
        file["period_of_time"].setncatts({"flag_values": flags, "flag_meanings": " ".join(found.periods)})
        write_words(file, "status", ("period", "layer"), found.status)
        file["status"].long_name = "whether the images were assimilated"
        for number, name in enumerate(SCORES):
            write_variable(file, name, DIMENSIONS, found.scores[..., number], *MEANINGS[name])
        file.createDimension("scale", next(iter(found.by_scale.values())).shape[-1])
        for name, values in found.by_scale.items():
            dims = ("time", "layer", "scale") if name == "reference_by_scale" else (*DIMENSIONS[:4], "scale")
            write_variable(file, name, dims, values, BY_SCALE[name], "1" if "corr" in name else MOISTURE)


def write_layers(file: netCDF4.Dataset, layers: Sequence[Layer]) -> None:
    """The coordinate of layers: their middles, with bounds."""
    bounds = np.array(layers, np.float64)
    file.createDimension("layer", len(bounds))
    file.createDimension("bnds", 2)
    write_variable(file, "layer", ("layer",), bounds.mean(axis=1), "depth of the middle of the layer", "m")
    file["layer"].setncatts({"standard_name": "depth", "positive": "down", "axis": "Z", "bounds": "layer_bnds"})
    write_variable(file, "layer_bnds", ("layer", "bnds"), bounds, "top and bottom of the layer", "m")


def read_field_scores(path: Path) -> FieldScores:
    """What `write_field_scores` has written. Not collective.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or another one.
    """
    with opened(path, "verify again") as file, understanding(path, "scores of images", "verify again"):
        missing = [name for name in (*SCORES, *BY_SCALE, *DIMENSIONS, "period", "status") if name not in file.variables]
        if missing:
            do = "verify again: this is no file of a verification, or of an older version"
            raise fault(path, found=f"no {missing[0]}", expected="scores of images", do=do)
        names = {name: _words(path, file, name) for name in ("run", "region", "period", "status")}
        layers = [(float(top), float(bottom)) for top, bottom in read_values(path, file["layer_bnds"])]
        return FieldScores(
            name=text_attribute(file, "reference_name"),
            what=text_attribute(file, "reference_files"),
            runs=names["run"].tolist(),
            layers=layers,
            regions=names["region"].tolist(),
            periods=names["period"].tolist(),
            status=names["status"].tolist(),
            times=[datetime.fromtimestamp(one, UTC) for one in read_values(path, file["time"])],
            period=read_values(path, file["period_of_time"]).astype(np.int64),
            scores=np.stack([read_values(path, file[name]) for name in SCORES], axis=-1),
            by_scale={name: read_values(path, file[name]) for name in BY_SCALE},
            n_times=int(text_attribute(file, "times_asked_for")),
            pixels=json.loads(text_attribute(file, "pixels")),
            remarks=text_attribute(file, "remarks").splitlines(),
        )


def _words(path: Path, file: netCDF4.Dataset, name: str) -> npt.NDArray[np.str_]:
    with in_library(path, name):
        return np.asarray(file[name][:], dtype=np.str_)


def write_field_table(path: Path, found: FieldScores) -> None:
    """Write ``scores_field_NAME.csv``: means over the moments of each period. Not collective.

    Raises
    ------
    OutputError
    """
    write_rows(path, CSV_NAMES, _rows(found))


def _rows(found: FieldScores) -> Iterator[list[str | float]]:
    for period, layer in np.ndindex(len(found.periods), len(found.layers)):
        for region, weight, run in np.ndindex(len(found.regions), len(WEIGHTS), len(found.runs)):
            for side in SIDES:
                n_times, mean = found.mean(period, side, run, layer, region, weight)
                if n_times == 0:
                    continue
                top, bottom = found.layers[layer]
                where = [found.periods[period], found.regions[region], WEIGHTS[weight], found.status[period][layer]]
                yield [found.runs[run], top, bottom, *where, side, n_times, *(float(one) for one in mean)]
