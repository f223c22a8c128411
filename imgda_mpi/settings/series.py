"""What the settings of verbs on images of many times have in common: times, the grid, and what has no effect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from imgda_mpi.settings.fields import Duration, Instant, Section, key
from imgda_mpi.settings.observations import Cf, Observation, Points

MOST_TIMES = 100_000

MOST_ROWS = 1_000_000  # of a grid, and columns

Size = Annotated[int, Field(strict=True, ge=2, le=MOST_ROWS)]


class TimeRange(Section):
    """Times at a constant distance, instead of a list; those without a file are passed over."""

    first: Instant = key("First time", "UTC", example="2019-01-01T00:00:00Z")
    last: Instant = key("Latest time that may be one", "UTC", example="2021-06-24T00:00:00Z")
    step: Duration = key("From time to time", example='"1 day"')

    @model_validator(mode="after")
    def _of_some(self) -> TimeRange:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        if (self.last - self.first) / self.step >= MOST_TIMES:
            raise ValueError(f"more than {MOST_TIMES} times: take a longer step")
        return self

    @property
    def listed(self) -> tuple[datetime, ...]:
        """All of them."""
        return tuple(self.first + n * self.step for n in range((self.last - self.first) // self.step + 1))


ManyTimes = Annotated[
    Annotated[
        tuple[Instant, ...],
        Field(strict=False, min_length=1),
        Tag("list"),
    ]
    | Annotated[TimeRange, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | TimeRange) else "list"),
]
AnyGrid = Annotated[
    Annotated[tuple[Size, Size], Field(strict=False), Tag("sizes")] | Annotated[Literal["background"], Tag("word")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "sizes"),
]


def all_times(time: datetime | None, times: ManyTimes | None) -> tuple[datetime, ...]:
    """The times asked for: one alone, a list or a range."""
    if times is None:
        return () if time is None else (time,)
    return times.listed if isinstance(times, TimeRange) else times


def check_times(time: datetime | None, times: ManyTimes | None) -> None:
    """Refuse, by a ValueError, no time at all, one beside several, and several that do not ascend."""
    if (time is None) == (times is None):
        raise ValueError("needs time, or times (not both)")
    several = all_times(time, times)
    if list(several) != sorted(set(several)):
        raise ValueError("times: must ascend")


def check_images(
    images: Mapping[str, Observation], window: timedelta | None, grid: tuple[int, int] | str, *, other_means: bool
) -> None:
    """Refuse, by a ValueError, keys that have no effect on images, and a grid that there is not.

    Parameters
    ----------
    images : sections by their names
    window : whose records are averaged, but those of an observation
    grid : "background" for that of its file
    other_means : whether the window is also that of something else
    """
    for name, section in images.items():
        meant = () if name == "background" else ("allow_unlike_background",)
        for without in (one for one in section.ALLOWANCES if one in section.model_fields_set - {*meant}):
            raise ValueError(f"[{name}] {without} has no effect here: remove it")
    averaged = [section for name, section in images.items() if name != "observation"]
    if window is not None and not other_means and not any(isinstance(one, Cf) for one in averaged):
        raise ValueError("window has no effect: it is for stations, and for images of kind cf but [observation]")
    if grid == "background" and isinstance(images.get("background"), Points):
        raise ValueError("grid = 'background' needs a background on a grid, not points")
