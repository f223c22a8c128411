"""The settings of soil moisture measured at stations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from imgda_mpi.settings.fields import Depths, FilePath, Section, key

Flags = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Stations(Section):
    """What every file of stations has."""

    depth: Depths = key("Top and bottom of the range of depth in which sensors are used", "m", default=(0.0, 0.1))


class StationTable(Stations):
    """A table in CSV with columns station, time, depth, value, latitude, longitude, and if need be network and flag."""

    kind: Literal["table"] = key("Kind of file: table or ismn")
    file: FilePath = key("Table, .csv or .csv.gz", example='"stations.csv"')


class Ismn(Stations):
    """An archive of the International Soil Moisture Network; needs the package ismn."""

    kind: Literal["ismn"] = key("Kind of file: table or ismn")
    file: FilePath = key("Archive as downloaded, zip or folder", example='"ismn.zip"')
    flags: Flags = key("Quality flags that a good value may have", default=("G",))


OfStations = StationTable | Ismn
AnyStations = Annotated[OfStations, Field(discriminator="kind")]
