"""The settings of an observed image and of its errors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from imgda_mpi.settings.fields import Depths, FilePattern, Instant, Range, Section, StandardDeviation, key, units_key


class Mask(Section):
    """Pixels to use: those where a variable, as a share of land, has at least a value."""

    variable: str = key("Name of the variable", min_length=1)
    min: float = key("Least value of a pixel that is used", allow_inf_nan=False)
    file: FilePattern | None = key("Its file, on the same grid (default: the observation's)", default=None)


class Observation(Section):
    """What every observed image has; ``ALLOWANCES`` are keys that let an analysis go on, and do nothing else."""

    ALLOWANCES: ClassVar[tuple[str, ...]] = ("allow_empty", "allow_repeated", "allow_unlike_background")

    file: FilePattern = key(
        "Observation file; %Y %m %d %H %M %j stand for the time of the observation",
        example='"observations/%Y%m%d_%H%M.nc4"',
    )
    time: Instant | None = key(
        "Take the image of this time, whatever the analysis time (default: the analysis time)",
        "UTC",
        default=None,
        example="2022-06-02T06:00:00Z",
    )
    max_time_offset: float = key(
        "Largest distance of the image from the time wanted; inf takes the nearest, and files without time",
        "hours",
        default=3.0,
        ge=0,
    )
    valid_range: Range = key(
        "Soil moisture further outside than three standard deviations of its errors is rejected and counted",
        "m3 m-3",
        default=(0.0, 0.6),
    )
    units: str | None = units_key()
    allow_empty: bool = key(
        "Without a single valid pixel over land, write the background unchanged instead of stopping", default=False
    )
    allow_repeated: bool = key(
        "Assimilate an observation again into a restart that holds it already, instead of stopping", default=False
    )
    allow_unlike_background: bool = key(
        "Take an image whose median over land is below 0.2 or above 5 times the background's", default=False
    )

    def of_reader(self) -> dict[str, Any]:
        """What the reader of the kind takes, but for the time and the errors."""
        return self.values("time", *self.ALLOWANCES)


class OnGrid(Observation):
    """An observed image on a grid of its own."""

    regridding: Literal["bilinear", "conservative"] = key(
        "How pixels become cells: bilinear (the paper's) or conservative (area mean)", default="bilinear"
    )
    mask: Mask | None = key(
        "Leave out pixels where a variable is below a value: {variable, min}, also with the file it is in",
        default=None,
        example='{variable = "lsm", min = 0.5}',
    )


class Gldas(OnGrid):
    """GLDAS-2.1 Noah 3-hourly files as distributed, variable SoilMoi0_10cm_inst."""

    kind: Literal["gldas"] = key("Kind of observation: gldas, cf or points")


class Cf(OnGrid):
    """Any CF NetCDF file on a rectilinear latitude-longitude grid."""

    kind: Literal["cf"] = key("Kind of observation: gldas, cf or points")
    variable: str = key("Name of the soil moisture variable", min_length=1, example='"soil_moisture"')
    layer: Depths | None = key(
        "Top and bottom of the layer to take, also where the variable is in kg m-2 (default: the only one)",
        "m",
        default=None,
        example="[0.0, 0.1]",
    )


class Points(Observation):
    """A list of points with latitude, longitude and soil moisture, NetCDF or .csv; a cell is the mean of its points."""

    kind: Literal["points"] = key("Kind of observation: gldas, cf or points")
    variable: str = key("Name of the soil moisture variable or column", min_length=1, example='"soil_moisture"')
    layer: Depths | None = key(
        "Top and bottom of the layer of the points, where the file does not say it and they are in kg m-2, or it has "
        "several (default: that of the file)",
        "m",
        default=None,
        example="[0.0, 0.05]",
    )
    max_time_offset: float = key(
        "Largest distance of a point from the time wanted; inf takes all points, and files without time",
        "hours",
        default=3.0,
        ge=0,
    )


OfImages = Gldas | Cf | Points
AnyObservation = Annotated[OfImages, Field(discriminator="kind")]


class NoiseEstimate(Section):
    """What the errors of the observation are taken to be."""

    estimate_observation: bool = key(
        "Estimate the observation's from the finest scales of the innovation, for methods with an error model; the log "
        "warns where the given one is off by more than a factor of two",
        default=False,
    )
    allow_few: bool = key(
        "Estimate errors from the innovation of fewer than 30 observed soil cells, instead of stopping", default=False
    )


class Errors(NoiseEstimate):
    """Errors of the observation, and the seed of all random numbers."""

    observation: StandardDeviation = key(
        "Standard deviation of the observation's: a number, or {file, variable, max_time_offset} for a field",
        "m3 m-3",
        default=0.10,
    )
    seed: int = key("Of all random numbers; the same seed and time give the same analysis", default=0, ge=0, lt=2**64)
