"""The settings of a comparison of methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from imgda_mpi.settings.analysis import Curvelet, Output
from imgda_mpi.settings.features import OF_CELLS, FeatureFiles, check_use
from imgda_mpi.settings.fields import (
    LEAST_DEVIATION,
    Depths,
    DeviationNumber,
    Duration,
    FilePattern,
    Instant,
    Number,
    Positive,
    Section,
    key,
    units_key,
)
from imgda_mpi.settings.methods import ComparedMethod, MethodSettings, OfMembers
from imgda_mpi.settings.observations import AnyObservation, NoiseEstimate, OfImages
from imgda_mpi.settings.series import MOST_ROWS, AnyGrid, ManyTimes, all_times, check_images, check_times
from imgda_mpi.settings.stations import OfStations

Lengths = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
Box = Annotated[tuple[Number, Number, Number, Number], Field(strict=False)]


class Noise(Section):
    """Noise of the draws that is coherent; noise = 0.1 is white noise alone."""

    white: float = key("Standard deviation of its white part", "m3 m-3", example="0.04", ge=0, le=1)
    red: float = key("Standard deviation of its coherent part", "m3 m-3", example="0.08", ge=LEAST_DEVIATION, le=1)
    length: Positive = key("Distance at which the correlation of the coherent part is 1/e", "cells", default=2.0)
    boxes: Annotated[tuple[Box, ...], Field(strict=False)] = key(
        "Where the coherent part is: [[south, north, west, east], ...] (default: everywhere)", "degrees", default=()
    )

    @model_validator(mode="after")
    def _of_boxes(self) -> Noise:
        for south, north, west, east in self.boxes:
            if not (south < north and west < east <= west + 360):
                raise ValueError(f"boxes: [{south:g}, {north:g}, {west:g}, {east:g}]: needs south < north, west < east")
        return self


AnyNoise = Annotated[
    DeviationNumber | Annotated[Noise, Tag("section")],
    Discriminator(lambda value: "section" if isinstance(value, dict | Noise) else "number"),
]
AnyJudge = Annotated[OfImages | OfStations, Field(discriminator="kind")]


class Swaths(Section):
    """Which pixels are observed: column i of row j where (i + floor(slope j)) mod period < width."""

    kind: Literal["full", "swaths"] = key("full (all land) or swaths", default="full")
    period: int = key("Columns from swath to swath", default=22, ge=1, le=MOST_ROWS)
    width: int = key("Columns of a swath", default=9, ge=1, le=MOST_ROWS)
    slope: float = key(
        "Columns that a swath moves to the left from row to row", default=0.35, ge=-MOST_ROWS, le=MOST_ROWS
    )

    @model_validator(mode="after")
    def _with_gaps(self) -> Swaths:
        if self.width > self.period:
            raise ValueError(f"width = {self.width}: at most the period, {self.period}; all land is kind = 'full'")
        return self

    @property
    def pattern(self) -> dict[str, Any]:
        """Period, width and slope; of all land a swath that is as wide as its period."""
        return self.values() if self.kind == "swaths" else {"period": 1, "width": 1, "slope": 0.0}


class MembersInFile(Section):
    """Images of members of the model: one is the background, every other in turn the truth and left out."""

    file: FilePattern = key("CF NetCDF file; %Y %m %d %H %M %j stand for the time")
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key(
        "Top and bottom of the layer to take (default: the only one)", "m", default=None, example="[0.0, 0.1]"
    )
    units: str | None = units_key()
    background_member: int = key("Number of the member that is the background, from 0", default=0, ge=0)
    letkf_lengths: Lengths = key(
        "Lengths that letkf is tried with if it is given by its name; the best is found with the truth, and marked",
        "km",
        default=(600.0, 800.0, 1000.0, 1200.0, 1400.0),
    )


class AssumedErrors(NoiseEstimate):
    """What the methods assume of the observation's errors."""

    observation: float | None = key(
        "Standard deviation (default: that of the noise, 0.1 without)",
        "m3 m-3",
        default=None,
        example="0.1",
        gt=0,
        le=1,
    )


TRIALS = {
    ("background", "truth"): "[background] and [truth]",
    ("background", "observation", "judge"): "[background], [observation] and [judge]",
    ("members",): "[members]",
}
"""Sections of the kinds of comparisons."""

OF_NOISE = ("noise", "seeds", "coverage")
"""Of comparisons whose observations are made."""

WITHOUT_NOISE = 0.1  # m3 m-3: as analyses do without a word


class Comparison(Section):
    """All settings of one comparison."""

    methods: Annotated[tuple[ComparedMethod, ...], Field(strict=False, min_length=1)] = key(
        "Methods to compare, each by its name, as innovation/full, or with keys of its own, as "
        '{kind = "paper", n_members = 20}'
    )
    time: Instant | None = key(
        "Of the images, and part of the key of all random numbers (default: times instead)",
        "UTC",
        default=None,
        example="2022-06-02T06:00:00Z",
    )
    times: ManyTimes | None = key(
        "Several times, ascending, in the place of time; those without a file of every section are passed over",
        "UTC",
        default=None,
        example="[2022-06-02T06:00:00Z, 2022-06-05T06:00:00Z]",
    )
    window: Duration | None = key(
        "Take means of the records (kind cf) from each time on, over so long, for background, truth and judge, and of "
        "the values of stations (default: the image of the time)",
        default=None,
        example='"3 days"',
    )
    noise: AnyNoise | None = key(
        "Standard deviation of the white noise of observations, or {white, red, length, boxes} (default: none, for "
        "[observation])",
        "m3 m-3",
        default=None,
        example="0.1",
    )
    seeds: int = key("Draws of the noise, for each time and truth", default=10, ge=1, le=100_000)
    grid: AnyGrid = key(
        'Rows and columns of the global grid, or "background" for the grid of its file', default=(128, 256)
    )
    interpolation_lengths: Lengths = key(
        "Lengths that optimal_interpolation is tried with if it is given by its name; the best is found with the "
        "truth, and marked",
        "km",
        default=(500.0, 650.0, 800.0, 1000.0),
    )
    background: AnyObservation | None = key("The background; not with [members]", default=None)
    truth: AnyObservation | None = key(
        "What is taken for the truth; observations are made from it, with noise", default=None
    )
    observation: AnyObservation | None = key(
        "What is assimilated, as it is, in the place of observations made from a truth", default=None
    )
    judge: AnyJudge | None = key(
        "What tells how good analyses of [observation] are: another image, or stations", default=None
    )
    members: MembersInFile | None = key("Background, truths and members in one file", default=None)
    coverage: Swaths = key("Pixels that are observed; not with [observation]", default=Swaths())
    errors: AssumedErrors = key("Assumed errors", default=AssumedErrors())
    features: FeatureFiles = key(OF_CELLS, default={})
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    output: Output = key("Result")

    @property
    def all_times(self) -> tuple[datetime, ...]:
        """The times asked for, ascending."""
        return all_times(self.time, self.times)

    @property
    def stations(self) -> OfStations | None:
        """The judge, where it is stations."""
        return self.judge if isinstance(self.judge, OfStations) else None

    @property
    def images(self) -> dict[str, OfImages]:
        """Sections that are images, by their names, the background first."""
        sections = {name: getattr(self, name) for name in ("background", "truth", "observation", "judge")}
        return {name: section for name, section in sections.items() if isinstance(section, OfImages)}

    @property
    def sections(self) -> Mapping[str, OfImages | MembersInFile]:
        """Sections whose files decide which of several times take part, by their names."""
        return self.images if self.members is None else {"members": self.members}

    @property
    def labels(self) -> list[str]:
        """Of the methods: their keys are named where several have the same name."""
        labels = [method.label for method in self.methods]
        return [
            label if labels.count(label) == 1 else method.full_label
            for label, method in zip(labels, self.methods, strict=True)
        ]

    @property
    def tried(self) -> list[tuple[str | None, MethodSettings]]:
        """Sections to run with their labels; those given by their name that have lengths to try once for each.

        Those have no label: their name tells the length.
        """
        lengths = {"optimal_interpolation": ("length", self.interpolation_lengths)}
        if self.members is not None:
            lengths["letkf"] = ("localisation", self.members.letkf_lengths)
        tried: list[tuple[str | None, MethodSettings]] = []
        for label, section in zip(self.labels, self.methods, strict=True):
            name, several = lengths.get(section.kind, ("", ()))
            if several and name not in section.model_fields_set:
                tried += [(None, section.model_copy(update={name: length})) for length in several]
            else:
                tried.append((label, section))
        return tried

    @property
    def noise_parts(self) -> dict[str, Any]:
        """Standard deviation of the white noise, and what the coherent part has; nothing without noise."""
        if isinstance(self.noise, Noise):
            return self.noise.values()
        return {} if self.noise is None else {"white": self.noise}

    @property
    def assumed(self) -> float:
        """Standard deviation of the observation errors that methods are told, m3 m-3."""
        parts = (self.noise_parts.get(part, 0.0) for part in ("white", "red"))
        return self.errors.observation or math.hypot(*parts) or WITHOUT_NOISE

    @model_validator(mode="after")
    def _each_once(self) -> Comparison:
        lists = (("methods", self.methods), ("interpolation_lengths", self.interpolation_lengths))
        for name, given in lists:
            if any(given.count(one) > 1 for one in given):
                raise ValueError(f"{name}: each may be given once")
        return self

    @model_validator(mode="after")
    def _at_some_time(self) -> Comparison:
        check_times(self.time, self.times)
        return self

    @model_validator(mode="after")
    def _one_kind_of_trials(self) -> Comparison:
        names = ("background", "truth", "observation", "judge", "members")
        given = tuple(name for name in names if getattr(self, name) is not None)
        if given not in TRIALS:
            raise ValueError(f"needs {', or '.join(TRIALS.values())}")
        if self.observation is None and self.noise is None:
            raise ValueError("key 'noise' is missing: observations are made from a truth and noise")
        for name in OF_NOISE if self.observation is not None else ():
            if name in self.model_fields_set:
                raise ValueError(f"{name} has no effect with [observation], which is taken as it is: remove it")
        needing = [method.label for method in self.methods if isinstance(method, OfMembers)]
        if needing and self.members is None:
            raise ValueError(f"methods {', '.join(needing)} need [members]")
        check_use(self.features, *self.methods)
        return self

    @model_validator(mode="after")
    def _of_images(self) -> Comparison:
        check_images(self.images, self.window, self.grid, other_means=self.stations is not None)
        return self
