"""The settings of a verification: runs beside images, stations and their own innovations."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from imgda_mpi.settings.fields import (
    Depths,
    Duration,
    FilePath,
    FilePattern,
    Instant,
    Number,
    Range,
    Section,
    key,
    units_key,
)
from imgda_mpi.settings.model import CaseOfColm202x
from imgda_mpi.settings.observations import Mask
from imgda_mpi.settings.series import ManyTimes, all_times
from imgda_mpi.settings.stations import Ismn, StationTable

NAME = "[A-Za-z0-9][A-Za-z0-9_+-]{,39}"
"""Of runs, images, stations, periods and boxes."""

Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(strict=False, min_length=1),
]


def _of_four(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) != 4:
        raise ValueError("needs four numbers: south, north, west, east, as [25.0, 50.0, -125.0, -65.0]")
    return value


Box = Annotated[tuple[Number, Number, Number, Number], BeforeValidator(_of_four), Field(strict=False)]
ManyDepths = Annotated[tuple[Depths, ...], Field(strict=False, min_length=1)]

KINDS = "What it is: run, colm202x, colm2014, gldas or cf"
SEVERAL = "Its files; * and ? stand for any characters"
BY_TIME = "Its file; %Y %m %d %H %M %j stand for the time"
SELECT = "What to take along further dimensions: a number from 0, or the name that its coordinate has"
ASSIMILATED = "Whether runs have assimilated it (default: what their folders say; of others it is not known)"
PATCHES = "What has the patches: colm202x or colm2014"


class OfRun(Section):
    """The folder of a run: of soil columns, of CoLM, or one of a twin experiment."""

    kind: Literal["run"] = key(KINDS)
    directory: FilePath = key("Folder of the run, with run.json", example='"twin/innovation"')


class History202x(Section):
    """History files of CoLM202X, with f_h2osoi."""

    kind: Literal["colm202x"] = key(KINDS)
    files: FilePath = key(SEVERAL, example='"runs/mycase/history/mycase_hist_*.nc"')


class Fluxes2014(Section):
    """Flux files of CoLM2014, <site>_2D_Fluxes_<stamp>."""

    kind: Literal["colm2014"] = key(KINDS)
    files: FilePath = key(SEVERAL, example='"runs/mysite/mysite_2D_Fluxes_*"')


class OfProduct(Section):
    """Files found by the time."""

    file: FilePattern = key(BY_TIME, example='"gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"')
    max_time_offset: float = key("Largest distance of an image from the time wanted", "hours", default=0.5, ge=0)
    valid_range: Range = key("Soil moisture outside is rejected and counted", "m3 m-3", default=(0.0, 1.0))
    units: str | None = units_key()
    mask: Mask | None = key(
        "Leave out pixels where a variable is below a value: {variable, min}, also with the file it is in",
        default=None,
        example='{variable = "lsm", min = 0.5}',
    )


class GldasImages(OfProduct):
    """GLDAS-2.1 Noah 3-hourly files: layers 0-10, 10-40 and 40-100 cm, as far as a file has them."""

    kind: Literal["gldas"] = key(KINDS)


class CfImages(OfProduct):
    """Any CF NetCDF file on a rectilinear latitude-longitude grid, with layers or with depths."""

    kind: Literal["cf"] = key(KINDS)
    variable: Names = key("Name of its soil moisture variable, or several: one for each layer", example='"swvl1"')
    layer: Depths | None = key(
        "Top and bottom of the layer of its only variable, where the file does not say it",
        "m",
        default=None,
        example="[0.0, 0.07]",
    )
    select: dict[str, str | int] = key(SELECT, default={}, example='{run = "control"}')


class RainFiles(Section):
    """Rain of CF NetCDF files on a rectilinear latitude-longitude grid, in kg m-2 s-1 or mm s-1."""

    file: FilePattern = key(BY_TIME, example='"rain/rain_%Y%m%d.nc"')
    variable: str = key("Name of its variable", min_length=1, example='"pr"')
    select: dict[str, str | int] = key(SELECT, default={})
    max_time_offset: float = key("Largest distance from the time wanted", "hours", default=0.5, ge=0)


OfMoisture = OfRun | History202x | Fluxes2014 | GldasImages | CfImages
AnyMoisture = Annotated[OfMoisture, Field(discriminator="kind")]


class OfReference(Section):
    """What every image that runs are held against has beside its kind."""

    assimilated: bool | None = key(ASSIMILATED, default=None, example="false")
    regridding: Literal["bilinear", "conservative"] = key(
        "How pixels become cells of the runs where grids differ: bilinear (the paper's) or conservative (area mean)",
        default="bilinear",
    )


class RunReference(OfRun, OfReference):
    """Another run, as the nature of a twin experiment."""


class Reference202x(History202x, OfReference):
    """History files of CoLM202X."""


class Reference2014(Fluxes2014, OfReference):
    """Flux files of CoLM2014."""


class GldasReference(GldasImages, OfReference):
    """GLDAS."""


class CfReference(CfImages, OfReference):
    """A CF product."""


AnyReference = Annotated[
    RunReference | Reference202x | Reference2014 | GldasReference | CfReference, Field(discriminator="kind")
]


class OfSites(Section):
    """How runs are held against stations."""

    at: Literal["depth", "layer"] | None = key(
        "Value of a run: at the depth of the sensor, linear between nodes, or of the layer of `layers` that it is in "
        "(default: depth where all runs have nodes)",
        default=None,
        example='"layer"',
    )
    cell: Literal["nearest", "bilinear"] = key("Value of a run at the place of a station", default="bilinear")
    match: Duration = key("Largest distance in time of a station's value from a run's", default=timedelta(minutes=30))
    least_pairs: int = key("Stations with fewer pairs in a period are not scored", default=30, ge=3)
    assimilated: bool | None = key(ASSIMILATED, default=None, example="false")


class TableSites(StationTable, OfSites):
    """Stations in a table."""


class IsmnSites(Ismn, OfSites):
    """Stations of an archive of ISMN."""


AnySites = Annotated[TableSites | IsmnSites, Field(discriminator="kind")]


class Period(Section):
    """A part of the time, whose scores are summed up."""

    first: Instant = key("Its first moment", "UTC", example="2022-06-02T00:00:00Z")
    last: Instant = key("Its last moment", "UTC", example="2022-08-01T00:00:00Z")

    @model_validator(mode="after")
    def _ordered(self) -> Period:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        return self


class ClassesOf202x(CaseOfColm202x):
    """Land cover of the patches of a case of CoLM202X."""

    kind: Literal["colm202x"] = key(PATCHES)


class ClassesOf2014(Section):
    """Land cover of the patches of CoLM2014."""

    kind: Literal["colm2014"] = key(PATCHES)
    const_file: FilePath = key("Constants, <site>-rstTimeConst", example='"runs/mysite/mysite-rstTimeConst"')


AnyClasses = Annotated[ClassesOf202x | ClassesOf2014, Field(discriminator="kind")]


class VerificationFolder(Section):
    """Where the result goes."""

    directory: FilePath = key("New folder; must not exist or be empty", example='"verification"')


class Verification(Section):
    """All settings of a verification."""

    times: ManyTimes | None = key(
        "Moments that are verified, ascending (default: those that all runs have)",
        "UTC",
        default=None,
        example='{first = 2022-06-02T00:00:00Z, last = 2022-08-31T00:00:00Z, step = "3 h"}',
    )
    window: Duration | None = key(
        "Means over so long from each of the times on, of runs, images and stations (default: the moments themselves)",
        default=None,
        example='"1 day"',
    )
    layers: ManyDepths = key("Top and bottom of the layers", "m", default=((0.0, 0.1), (0.1, 0.4), (0.4, 1.0)))
    innovations: bool = key("Sum up the innovations of run folders", default=True)
    scales_every: Duration = key(
        "Distance of the moments at which errors are told apart by curvelet scale: 27 h go through the hours of the "
        "day, so that moments at analyses and between them take part",
        default=timedelta(hours=27),
    )
    runs: dict[str, AnyMoisture] = key(
        "Runs by names of your own: [runs.NAME]; the first one is what the others are held beside, as a control",
        min_length=1,
    )
    images: dict[str, AnyReference] = key("What they are held against: [images.NAME]", default={})
    stations: dict[str, AnySites] = key("Stations: [stations.NAME]", default={})
    periods: dict[str, Period] = key(
        "Parts of the time: [periods.NAME] with first and last (default: assimilation and forecast of the run folders, "
        "else all)",
        default={},
    )
    boxes: dict[str, Box] = key(
        "Regions: NAME = [south, north, west, east], beside China and the continental US",
        "degrees",
        default={},
        example="{sahel = [10.0, 20.0, -17.0, 40.0]}",
    )
    rain: RainFiles | None = key(
        "Rain to show with the series of stations (default: that of the first run)", default=None
    )
    classes: AnyClasses | None = key(
        "Scores by class of the largest soil patch of a cell (default: of the case of a run folder)", default=None
    )
    output: VerificationFolder = key("Result")

    @property
    def all_times(self) -> tuple[datetime, ...]:
        """The times asked for, ascending; none where they are those of the runs."""
        return all_times(None, self.times)

    @property
    def run_folders(self) -> dict[str, FilePath]:
        """Folders of the runs that have one, by name."""
        return {name: section.directory for name, section in self.runs.items() if isinstance(section, OfRun)}

    @model_validator(mode="after")
    def _names(self) -> Verification:
        for section in ("runs", "images", "stations", "periods", "boxes"):
            for name in getattr(self, section):
                if not re.fullmatch(NAME, name):
                    raise ValueError(f"[{section}.{name}]: needs a name of at most 40 letters, digits, -, + and _")
        return self

    @model_validator(mode="after")
    def _times(self) -> Verification:
        if self.window is not None and self.times is None:
            raise ValueError("window: needs times, from which on it lasts")
        if list(self.all_times) != sorted(set(self.all_times)):
            raise ValueError("times: must ascend")
        return self

    @model_validator(mode="after")
    def _layers(self) -> Verification:
        if len(set(self.layers)) < len(self.layers):
            raise ValueError("layers: one is there twice")
        return self

    @model_validator(mode="after")
    def _rain(self) -> Verification:
        if self.rain is not None and not self.stations:
            raise ValueError("[rain]: goes with the series of [stations.NAME], of which there is none")
        return self

    @model_validator(mode="after")
    def _periods(self) -> Verification:
        ordered = sorted(self.periods.items(), key=lambda item: item[1].first)
        for (name, period), (later, other) in pairwise(ordered):
            if other.first <= period.last:
                raise ValueError(f"[periods.{later}] first: is within [periods.{name}]; periods must not overlap")
        return self

    @model_validator(mode="after")
    def _boxes(self) -> Verification:
        for name, (south, north, west, east) in self.boxes.items():
            if not (south < north and west < east <= west + 360):
                raise ValueError(
                    f"boxes {name}: needs south < north and west < east, as 170 to 200 across the date line"
                )
        return self
