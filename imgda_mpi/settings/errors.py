"""The settings of an estimate of errors from three products."""

from __future__ import annotations

from datetime import datetime

from pydantic import model_validator

from imgda_mpi.settings.analysis import Curvelet
from imgda_mpi.settings.fields import Duration, FilePath, Instant, Section, key
from imgda_mpi.settings.observations import AnyObservation
from imgda_mpi.settings.series import AnyGrid, ManyTimes, all_times, check_images, check_times


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
        return all_times(self.time, self.times)

    @property
    def products(self) -> dict[str, AnyObservation]:
        """The three sections by their names."""
        return {"background": self.background, "observation": self.observation, "third": self.third}

    @model_validator(mode="after")
    def _of_some_time(self) -> ErrorEstimate:
        check_times(self.time, self.times)
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> ErrorEstimate:
        check_images(self.products, self.window, self.grid, other_means=False)
        for name, section in self.products.items():
            if self.times is not None and section.time is not None:
                raise ValueError(f"[{name}] time: of several times it would be the same image again: remove it")
        return self
