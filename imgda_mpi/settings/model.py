"""The settings of a model: its restart, and its members."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from imgda_mpi.settings.fields import Depths, FilePath, FilePattern, Instant, Section, key, units_key


class CaseOfColm202x(Section):
    """Where the files of a case of CoLM202X are, and how they are called."""

    directory: FilePath = key("The case's output folder: holds restart/ and landdata/", example='"runs/mycase"')
    case: str = key(
        "Name of the case, as in <case>_restart_<stamp>_lc<year>_<block>.nc", min_length=1, example='"mycase"'
    )
    land_cover_year: int = key("Year in the file names (DEF_LC_YEAR)", default=2005, ge=1, le=9999)


class Colm202x(CaseOfColm202x):
    """A restart of CoLM202X: NetCDF files, one per block or one for all."""

    kind: Literal["colm202x"] = key("Version of the model: colm202x or colm2014")
    time: Instant = key("Analysis time, that of the restart", "UTC", example="2022-06-02T06:00:00Z")

    def of_member(self, folder: Path) -> Self:
        """The same restart of a member."""
        return self.model_copy(update={"directory": folder})


class Colm2014(Section):
    """A restart of CoLM2014: one Fortran file for the state, one for the constants."""

    kind: Literal["colm2014"] = key("Version of the model: colm202x or colm2014")
    restart_file: FilePath = key(
        "State, <site>-rstTimeVar-<stamp>", example='"runs/mysite/mysite-rstTimeVar-2022-153-21600"'
    )
    const_file: FilePath = key("Constants, <site>-rstTimeConst", example='"runs/mysite/mysite-rstTimeConst"')
    time: Instant = key("Analysis time, that of the restart", "UTC", example="2022-06-02T06:00:00Z")

    def of_member(self, folder: Path) -> Self:
        """The same restart of a member, with the same constants."""
        return self.model_copy(update={"restart_file": folder / self.restart_file.name})


AnyModel = Annotated[Colm202x | Colm2014, Field(discriminator="kind")]


class MemberRestarts(Section):
    """Restarts of the same case and time as the model's, one folder for each member."""

    kind: Literal["restarts"] = key("What holds the members: restarts or images")
    directories: tuple[FilePath, ...] = key(
        "Folders of the members: each stands in the place of [model] directory (colm202x), or holds a file named as "
        "[model] restart_file (colm2014)",
        strict=False,
        min_length=2,
    )


class MemberImages(Section):
    """A CF NetCDF file with an image of the model's soil moisture for each member."""

    kind: Literal["images"] = key("What holds the members: restarts or images")
    file: FilePattern = key(
        "CF NetCDF file, regridded bilinearly where its grid is not the model's; %Y %m %d %H %M %j stand for the "
        "analysis time"
    )
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key(
        "Top and bottom of the layer to take (default: the only one)", "m", default=None, example="[0.0, 0.1]"
    )
    units: str | None = units_key()


MemberFiles = Annotated[MemberRestarts | MemberImages, Field(discriminator="kind")]
