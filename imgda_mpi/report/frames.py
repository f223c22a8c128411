"""Which frame of a series stands for a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from imgda_mpi.histories.image_series import Frame, ImageSeries


def frame_after(series: ImageSeries, time: datetime) -> Frame | None:
    """Of instants the state at a time, after its analysis; of means the interval that begins then, else that holds it.

    None where there is none.

    Raises
    ------
    InputError
        Where a file is damaged.
    """
    if series.interval is not None:
        # Of a mean that ends at an analysis nothing is after it.
        begins = series.frames_of(time + timedelta(seconds=1), None).get("after")
        if begins:
            return begins[0]
    frames = series.frames_of(time, None).get("after")
    return frames[0] if frames else None


def frame_at(series: ImageSeries, time: datetime) -> Frame:
    """The same of a time that the series has.

    Raises
    ------
    InputError
        Where a file is damaged.
    """
    frame = frame_after(series, time)
    if frame is None:
        raise ValueError(f"{series.what} has no {time}")
    return frame
