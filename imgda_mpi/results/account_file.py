"""What the file of an analysis says of it beside its images: numbers found, counts, water, cost, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.ledger import TERMS
from imgda_mpi.distributed.wedge_statistics import OF_WEDGES, WedgeStatistics
from imgda_mpi.faults import understanding
from imgda_mpi.netcdf import find_variable, in_library, opened
from imgda_mpi.numerics.problem import Fact

NO_SOURCE = "none"
"""Of an analysis without an observation."""

LABELS = ("method", "error_model", "solver", "scales")


@dataclass(frozen=True, eq=False, kw_only=True)
class Account:
    """An analysis in numbers and words.

    Parameters
    ----------
    time : of the analysis, UTC
    program, restart, observation_source : what made it, and of what; the last "none" without an observation
    labels : what names the method, of `LABELS`
    facts : numbers that the method found, by name
    settings : in force, by section
    seed : of all random numbers
    fft_plans : "estimated" or "measured"; empty for methods without a transform
    pixels : of the observed image and cells, numbers by reason; none without an observation
    patches, cells : with a flag of `imgda_mpi.colm.ledger.FLAGS`, numbers by flag
    water : global means by term of `imgda_mpi.colm.ledger.TERMS`, kg m-2
    residual : largest amount by which the ledger of a patch does not close, kg m-2
    stages : names of what the analysis went through
    seconds : wall time, (n_ranks, n_stages) s
    peak_memory, sent_bytes, sent_messages : of every rank, (n_ranks,)
    wedges : statistics of a curvelet method; None of others
    """

    time: datetime
    program: str
    restart: str
    observation_source: str
    labels: Mapping[str, str]
    facts: Mapping[str, Fact]
    settings: Mapping[str, Any]
    seed: int
    fft_plans: str
    pixels: Mapping[str, int]
    patches: Mapping[str, int]
    cells: Mapping[str, int]
    water: Mapping[str, float]
    residual: float
    stages: Sequence[str]
    seconds: FloatArray
    peak_memory: IntArray
    sent_bytes: IntArray
    sent_messages: IntArray
    wedges: WedgeStatistics | None

    @property
    def method(self) -> str:
        """Error model and solver, or the name of a method without these."""
        how = [self.labels[name] for name in ("error_model", "solver") if name in self.labels]
        return "/".join(how) or self.labels["method"]

    @property
    def has_observation(self) -> bool:
        """Whether something was observed."""
        return self.observation_source != NO_SOURCE

    @property
    def n_ranks(self) -> int:
        """That made it."""
        return len(self.seconds)


def read_account(path: Path) -> Account:
    """Of a diagnostics file all that is no image. Not collective.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or no diagnostics file.
    """
    with opened(path) as file:
        with in_library(path):
            # Sizes of a few: nothing is packed, and a mask would take longer than all else.
            file.set_auto_mask(False)
            attributes = {name: file.getncattr(name) for name in file.ncattrs()}
        read = _Reader(path, file)
        counted = read.names("update_reason")
        water = {name: read.attribute(f"water_{name}", "global_mean") for name in TERMS}
        has_pixels = str(attributes.get("observation_source")) != NO_SOURCE
        with understanding(path, "a diagnostics file", "give the file of an analysis"):
            facts = _facts(attributes)
            return Account(
                time=datetime.fromisoformat(attributes["analysis_time"]),
                program=str(attributes["source"]),
                restart=str(attributes["restart"]),
                observation_source=str(attributes["observation_source"]),
                labels={name: str(attributes[name]) for name in LABELS if name in attributes},
                facts=facts,
                settings=json.loads(attributes["settings"]),
                seed=int(attributes["seed"]),
                fft_plans=str(attributes.get("fft_plans", "")),
                pixels=read.counts("pixel_count", read.names("pixel_reason")) if has_pixels else {},
                patches=read.counts("patch_count", counted),
                cells=read.counts("cell_count", counted),
                water=water,
                residual=float(attributes["water_ledger_residual"]),
                stages=read.names("stage"),
                seconds=read.values("stage_time"),
                peak_memory=read.values("peak_memory"),
                sent_bytes=read.values("exchange_bytes"),
                sent_messages=read.values("exchange_messages"),
                wedges=read.wedges() if "wedge" in file.variables else None,
            )


def _facts(attributes: Mapping[str, Any]) -> dict[str, Fact]:
    """From the list of their meanings, "name [unit]: meaning", and the attributes of their names."""
    found = {}
    for line in str(attributes["facts"]).splitlines():
        name, _, rest = line.partition(" [")
        unit, _, meaning = rest.partition("]: ")
        found[name] = Fact(attributes[name].item(), unit, meaning)
    return found


class _Reader:
    """Reads small variables of an open file."""

    def __init__(self, path: Path, file: netCDF4.Dataset) -> None:
        self._path, self._file = path, file

    def values(self, name: str) -> npt.NDArray[Any]:
        variable = find_variable(self._path, self._file, name)
        with in_library(self._path):
            return np.asarray(variable[...])

    def attribute(self, name: str, attribute: str) -> float:
        variable = find_variable(self._path, self._file, name)
        with in_library(self._path):
            return float(variable.getncattr(attribute))

    def names(self, name: str) -> list[str]:
        return [str(text) for text in self.values(name)]

    def counts(self, name: str, reasons: Sequence[str]) -> dict[str, int]:
        return dict(zip(reasons, self.values(name).tolist(), strict=True))

    def wedges(self) -> WedgeStatistics:
        for name in OF_WEDGES:
            find_variable(self._path, self._file, name)
        every = self._file.variables.items()
        names = [name for name, variable in every if variable.dimensions == ("coefficient_group",)]
        values = {name: self.values(name) for name in names}
        return WedgeStatistics(values.pop("scale"), values.pop("wedge"), values)
