"""The settings of a run of soil columns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from imgda_mpi.settings.fields import FilePath, FilePattern, Instant, Number, Section, key
from imgda_mpi.settings.model import Colm202x

LONGEST = timedelta(days=36525)
"""Run of soil columns: a hundred years."""

Points = tuple[Annotated[tuple[Number, Number], Field(strict=False)], ...]
POINTS = "Latitude and longitude of points whose profiles the history has, as [[35.0, 104.2]]: those of their cells"


class Start(Colm202x):
    """The restart to start from, of CoLM202X: NetCDF files, one per block."""

    kind: Literal["colm202x"] = key("Version of the model; colm202x is the one that soil columns know")
    time: Instant = key("Start of the run, the restart's time, a whole hour", "UTC", example="2022-06-02T06:00:00Z")


class Period(Section):
    """How far the columns run, and what is kept on the way."""

    end: Instant = key("End of the run, a whole hour", "UTC", example="2022-07-02T06:00:00Z")
    restart_every: int | None = key(
        "Hours after which a restart is written each time (default: at the end alone)",
        "hours",
        default=None,
        example="6",
        ge=1,
    )
    points: Points = key(POINTS, "degrees", default=(), strict=False)


class GeneratedWeather(Section):
    """Weather made up from a seed."""

    kind: Literal["generated"] = key("What gives the weather: generated or files")
    seed: int = key("Of all that is random in it", default=0, ge=0, lt=2**64)
    displacement: float = key(
        "Rain systems are elsewhere than those of the seed: standard deviation eastward and northward",
        "km",
        default=0.0,
        ge=0.0,
        le=5000.0,
    )
    strength: float = key(
        "Rain is of other strength than that of the seed, by region: standard deviation of the logarithm of a factor",
        default=0.0,
        ge=0.0,
        le=2.0,
    )
    change: int = key("Seed of displacements and strengths", default=0, ge=0, lt=2**64)

    @property
    def in_words(self) -> str:
        """What the weather is."""
        changed = f", systems displaced by {self.displacement:g} km" if self.displacement else ""
        changed += f", strengths other by a factor exp(+-{self.strength:g})" if self.strength else ""
        return f"made up from seed {self.seed}{changed}"


Quantity = Literal["rain", "shortwave", "longwave", "temperature", "humidity", "wind", "pressure"]


class WeatherFiles(Section):
    """Weather in CF NetCDF files on the grid of the case."""

    kind: Literal["files"] = key("What gives the weather: generated or files")
    files: tuple[FilePattern, ...] = key(
        "One file for all quantities, or several with some of them each; %Y %m %d %H %j stand for the time",
        strict=False,
        min_length=1,
        example='["weather/%Y%m.nc"]',
    )
    variables: dict[Quantity, str] = key(
        'Names of variables that have no CF standard name, as {rain = "prec"}: rain, shortwave, longwave, '
        "temperature, humidity, wind, pressure",
        default={},
    )


AnyWeather = Annotated[GeneratedWeather | WeatherFiles, Field(discriminator="kind")]


class Run(Section):
    """Where the run goes."""

    directory: FilePath = key("New folder for the run; must not exist or be empty", example='"columns"')


class ColumnsRun(Section):
    """All settings of a run of soil columns."""

    model: Start = key("The restart to start from")
    run: Period = key("The period")
    weather: AnyWeather = key("The weather", default=GeneratedWeather(kind="generated"))
    output: Run = key("Result")

    @model_validator(mode="after")
    def _whole_hours(self) -> ColumnsRun:
        for name, time in (("[model] time", self.model.time), ("[run] end", self.run.end)):
            if time.minute or time.second or time.microsecond:
                raise ValueError(f"{name} = {time:%Y-%m-%dT%H:%M:%SZ}: needs a whole hour")
        if self.run.end <= self.model.time:
            raise ValueError(
                f"[run] end = {self.run.end:%Y-%m-%dT%H:%M:%SZ}: needs a time after [model] time = "
                f"{self.model.time:%Y-%m-%dT%H:%M:%SZ}"
            )
        check_length(self.model.time, self.run.end, "[run] end")
        return self


def check_length(start: datetime, end: datetime, name: str) -> None:
    """Refuse, by a ValueError, a run of soil columns that would not end in anybody's time."""
    if end - start > LONGEST:
        raise ValueError(f"{name} = {end:%Y-%m-%dT%H:%M:%SZ}: needs a time within a hundred years from the start")
