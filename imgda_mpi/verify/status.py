"""What runs are held against, and whether they have seen it."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Whether data are independent of the runs that are held against them, in the words of every table."""

    INDEPENDENT = "independent"
    FIT = "fit to assimilated data"
    UNKNOWN = "not known whether assimilated"


def status_of(assimilated: bool | None) -> Status:
    """The status of data that runs have assimilated, or not, or of which that is not known (None)."""
    if assimilated is None:
        return Status.UNKNOWN
    return Status.FIT if assimilated else Status.INDEPENDENT
