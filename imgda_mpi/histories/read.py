"""Every kind of run and product that is verified, opened by its kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.lazy import load
from imgda_mpi.observations.image import Layer

READERS = {
    "run": "histories.run:open_run_folder",
    "colm202x": "histories.colm202x:open_history_files",
    "colm2014": "histories.colm2014:open_flux_files",
    "gldas": "histories.products:open_gldas",
    "cf": "histories.products:open_cf",
}
"""What opens each kind."""

FOUND_BY_TIME = ("gldas", "cf")
"""Kinds whose files are found by the times that are asked for."""


def open_series(kind: str, *, layers: Sequence[Layer], times: Sequence[datetime], **how: Any) -> ImageSeries:
    """A run or a product. Not collective: it can be passed to other processes.

    Parameters
    ----------
    kind : of `READERS`
    layers : that are asked for, m
    times : that are asked for, aware: of products that are found by them
    how : what else the reader of the kind takes, by the names of the settings

    Raises
    ------
    InputError
        Where files are missing or damaged, are not of the kind, or differ in what they should not.
    """
    if kind in FOUND_BY_TIME:
        how["times"] = times
    series: ImageSeries = load(READERS[kind])(layers=layers, **how)
    return series
