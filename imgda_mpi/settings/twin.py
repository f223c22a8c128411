"""The settings of a twin experiment: a nature, a control run, and variants that assimilate images of the nature."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from imgda_mpi.settings.columns import check_length
from imgda_mpi.settings.cycle import CycleRun, check_times
from imgda_mpi.settings.fields import Duration, FilePath, Instant, Positive, Section, key
from imgda_mpi.settings.methods import AnyMethod, NothingSettings, OfMembers
from imgda_mpi.settings.model import CaseOfColm202x
from imgda_mpi.settings.observations import Errors

CONTROL, NATURE = "control", "nature"
OWN_NAMES = (CONTROL, NATURE, "case", "nature_case", "observations")
"""Folders beside those of the variants."""

NOT_DECIDING = ("variants",)
"""Keys that may differ between two jobs of one experiment: each variant is a run of its own."""

STOP_EVERY = timedelta(days=5)
"""Longest window without an analysis: what an interrupted run without analyses loses at most."""

NAME = "[A-Za-z0-9][A-Za-z0-9_-]{,39}"
"""Of a variant: it is that of a folder."""

LONG = timedelta(days=36500)
"""After which another restart would be kept, beside those of the start and of the last two cycles."""

BETWEEN_IMAGES = timedelta(hours=3)


class Embedded(Section):
    """The embedded case, written for the experiment."""

    kind: Literal["embedded"] = key("Which case all runs start from: embedded or colm202x")
    rows: int = key(
        "Rows of its grid, which has twice as many columns: 64 for 2.8 degrees",
        default=64,
        ge=32,
        le=256,
        multiple_of=2,
    )


class Own(CaseOfColm202x):
    """A case of CoLM202X, with a restart of the time of the first analysis."""

    kind: Literal["colm202x"] = key("Which case all runs start from: embedded or colm202x")


class TwinTimes(Section):
    """When variants are corrected; whole hours. All runs begin at the first analysis."""

    first_analysis: Instant = key("First analysis, and start of all runs", "UTC", example="2022-06-02T00:00:00Z")
    last_analysis: Instant = key("Last analysis; from then on all run freely", "UTC", example="2022-08-01T00:00:00Z")
    end: Instant = key("End of all runs", "UTC", example="2022-08-31T00:00:00Z")
    window: Duration = key("From one analysis to the next", default=timedelta(hours=6))


class Nature(Section):
    """In what the nature differs from the model, beside its hydraulic parameters."""

    displacement: float = key(
        "Rain systems are elsewhere: standard deviation eastward and northward", "km", default=1000.0, ge=0.0, le=5000.0
    )
    strength: float = key(
        "Rain is of other strength by region: standard deviation of the logarithm of a factor",
        default=1.0,
        ge=0.0,
        le=2.0,
    )
    start: float = key(
        "The start is another one: standard deviation of the difference of the degree of saturation",
        default=0.6,
        ge=0.0,
        le=1.0,
    )
    start_length: Positive = key("Length over which that difference is alike", "km", default=1000.0)


class Instrument(Section):
    """What sees the nature: images of 0-10 cm, in pixels of a degree, every three hours."""

    white: float = key(
        "Standard deviation of its errors that differ from pixel to pixel and time to time",
        "m3 m-3",
        default=0.04,
        ge=0.0,
        le=1.0,
    )
    coherent: float = key(
        "Standard deviation of its errors that are alike over a length and a time",
        "m3 m-3",
        default=0.04,
        ge=0.0,
        le=1.0,
    )
    length: Positive = key("Over which coherent errors are alike", "km", default=500.0)
    days: Positive = key("Over which coherent errors are alike", "days", default=10.0)


class Variant(Section):
    """A way to assimilate the images."""

    method: AnyMethod = key(
        "Name of a method, as innovation/full, or {kind = ...} with keys of its own", example='"innovation/full"'
    )
    errors: Errors = key("Errors of the observation, as in the settings of an analysis", default=Errors())


class TwinFolder(Section):
    """Where the experiment goes."""

    directory: FilePath = key("Folder of all runs: new, or that of the same experiment to go on with", example='"twin"')


class Twin(Section):
    """All settings of a twin experiment."""

    seed: int = key("Of all that is random: weather, nature, errors, perturbations", default=0, ge=0, lt=2**64)
    places: int = key(
        "Points of each of four classes of vegetation at which profiles are kept", default=12, ge=0, le=1000
    )
    variants: dict[str, Variant] = key(
        "Variants by names of your own: [variants.NAME] with method and errors", default={}
    )
    case: Annotated[Embedded | Own, Field(discriminator="kind")] = key("The case that all runs start from")
    cycle: TwinTimes = key("Times")
    nature: Nature = key("The nature", default=Nature())
    instrument: Instrument = key("The instrument", default=Instrument())
    output: TwinFolder = key("Result")

    @model_validator(mode="after")
    def _times(self) -> Twin:
        check_times(self.cycle, ("first_analysis", "last_analysis", "end"), ("window",))
        check_length(self.cycle.first_analysis, self.cycle.end, "[cycle] end")
        if self.cycle.window % BETWEEN_IMAGES:
            raise ValueError("[cycle] window: there are images every three hours: needs a multiple of that")
        return self

    @model_validator(mode="after")
    def _variants(self) -> Twin:
        names = [name.lower() for name in self.variants]
        for name, variant in self.variants.items():
            if not re.fullmatch(NAME, name):
                raise ValueError(f"[variants.{name}]: needs a name of at most 40 letters, digits, - and _")
            # A file system may not tell letters by their case.
            if name.lower() in OWN_NAMES or names.count(name.lower()) > 1:
                raise ValueError(f"[variants.{name}]: {name} is a folder of the experiment; give another name")
            if isinstance(variant.method, OfMembers):
                raise ValueError(f"[variants.{name}] method {variant.method.kind!r} needs members: there are none")
            if isinstance(variant.method, NothingSettings):
                raise ValueError(f"[variants.{name}] method 'none' is the control run, which is there anyway")
        return self

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of all runs but the nature's."""
        return (CONTROL, *self.variants)

    def run(self, name: str, model: dict[str, Any], images: FilePath) -> CycleRun:
        """The settings of a run: `NATURE`, `CONTROL` or a variant.

        Parameters
        ----------
        model : the case of soil columns, a section ``[model]``
        images : pattern of the observed images
        """
        weather: dict[str, Any] = {"kind": "generated", "seed": self.seed}
        if name == NATURE:
            other = {"displacement": self.nature.displacement, "strength": self.nature.strength, "change": self.seed}
            weather |= other
        variant = self.variants.get(name)
        assimilated: dict[str, Any] = {"method": "none"}
        if variant is not None:
            errors = variant.errors
            if "seed" not in errors.model_fields_set:
                errors = errors.model_copy(update={"seed": self.seed})
            observation = {"kind": "gldas", "file": images, "max_time_offset": 0.0}
            assimilated = {"method": variant.method, "errors": errors, "observation": observation}
        times = self.cycle.values()
        cycle = {"start": self.cycle.first_analysis, "stop_every": STOP_EVERY, "keep_every": LONG, **times}
        cycle["without_observation"] = "stop"  # all were made
        return CycleRun.model_validate(
            {
                **assimilated,
                "cycle": cycle,
                "model": {"kind": "columns", **model},
                "weather": weather,
                "output": {"directory": self.output.directory / name},
            }
        )
