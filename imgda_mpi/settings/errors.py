"""The settings of an estimate of errors from three products."""

from __future__ import annotations

from datetime import datetime

from pydantic import model_validator

from imgda_mpi.settings.analysis import Curvelet
from imgda_mpi.settings.comparison import AnyGrid, ManyTimes, TimeRange
from imgda_mpi.settings.fields import Duration, FilePath, Instant, Section, key
from imgda_mpi.settings.observations import AnyObservation, Observation


class Kept(Section):
    """A folder that the estimate is kept in; it is printed in any case."""

    directory: FilePath = key(
        "New folder for what is printed (table.txt, errors.toml), errors.nc and manifest; must not exist or be empty",
        example='"errors"',
    )


class ErrorEstimate(Section):
    """All settings of one estimate."""

    time: Instant | None = key(
        "Of the images (default: times instead)", "UTC", default=None, example="2022-06-02T06:00:00Z"
    )
    times: ManyTimes | None = key(
        "Several times, ascending, whose sums are added up, in the place of time; those without a file of every "
        "section are passed over",
        "UTC",
        default=None,
        example="[2022-06-02T06:00:00Z, 2022-06-03T06:00:00Z]",
    )
    window: Duration | None = key(
        "Take means of the records (kind cf) from each time on, over so long, for background and third product "
        "(default: the image of the time)",
        default=None,
        example='"3 days"',
    )
    grid: AnyGrid = key(
        'Rows and columns of the global grid, or "background" for the grid of its file', default=(128, 256)
    )
    background: AnyObservation = key("The background")
    observation: AnyObservation = key("The observation")
    third: AnyObservation = key("A third product, of other origin than both")
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    output: Kept | None = key("Result", default=None)

    @property
    def all_times(self) -> tuple[datetime, ...]:
        """The times asked for, ascending."""
        if self.times is None:
            return (self.time,) if self.time else ()
        return self.times.listed if isinstance(self.times, TimeRange) else self.times

    @property
    def products(self) -> dict[str, AnyObservation]:
        """The three sections by their names."""
        return {"background": self.background, "observation": self.observation, "third": self.third}

    @model_validator(mode="after")
    def _of_some_time(self) -> ErrorEstimate:
        if (self.time is None) == (self.times is None):
            raise ValueError("needs time, or times (not both)")
        if list(self.all_times) != sorted(set(self.all_times)):
            raise ValueError("times: must ascend")
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> ErrorEstimate:
        for name, section in self.products.items():
            meant = () if name == "background" else ("allow_unlike_background",)
            for without in (one for one in Observation.ALLOWANCES if one in section.model_fields_set - {*meant}):
                raise ValueError(f"[{name}] {without} has no effect in an estimate of errors: remove it")
            if self.times is not None and section.time is not None:
                raise ValueError(f"[{name}] time: of several times it would be the same image again: remove it")
        return self
