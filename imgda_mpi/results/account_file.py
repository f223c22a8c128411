"""What the file of an analysis says of it beside its images: numbers found, counts, water, cost, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.ledger import TERMS
from imgda_mpi.distributed.wedge_statistics import OF_WEDGES, WedgeStatistics
from imgda_mpi.faults import reading, understanding
from imgda_mpi.numerics.problem import Fact
from imgda_mpi.paths import check_file

NO_SOURCE = "none"
"""Of an analysis without an observation."""

LABELS = ("method", "error_model", "solver", "scales")

RANKS = ("stage_time", "peak_memory", "exchange_bytes", "exchange_messages")
"""Variables with a value for each rank."""

EXPECTED, DO = "a diagnostics file", "give the file of an analysis"


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
    check_file(path, "a diagnostics file")
    # Without the NetCDF library, which reads what describes all images first: a run has hundreds of these files.
    with understanding(path, EXPECTED, DO):
        with reading(path, found="a file that cannot be read", expected=EXPECTED, do=DO), h5py.File(path) as file:
            attributes = {name: _plain(value) for name, value in file.attrs.items()}
            water = {name: float(_plain(file[f"water_{name}"].attrs["global_mean"])) for name in TERMS}
            updates = _words(file["update_reason"])
            patches, cells = (_counts(updates, file[name]) for name in ("patch_count", "cell_count"))
            has_pixels = attributes["observation_source"] != NO_SOURCE
            pixels = _counts(_words(file["pixel_reason"]), file["pixel_count"]) if has_pixels else {}
            stages = _words(file["stage"])
            of_ranks = {name: file[name][...] for name in RANKS}
            wedges = _wedges(file) if "wedge" in file else None
        return Account(
            time=datetime.fromisoformat(attributes["analysis_time"]),
            program=attributes["source"],
            restart=attributes["restart"],
            observation_source=attributes["observation_source"],
            labels={name: attributes[name] for name in LABELS if name in attributes},
            facts=_facts(attributes),
            settings=json.loads(attributes["settings"]),
            seed=attributes["seed"],
            fft_plans=attributes.get("fft_plans", ""),
            pixels=pixels,
            patches=patches,
            cells=cells,
            water=water,
            residual=float(attributes["water_ledger_residual"]),
            stages=stages,
            seconds=of_ranks["stage_time"],
            peak_memory=of_ranks["peak_memory"],
            sent_bytes=of_ranks["exchange_bytes"],
            sent_messages=of_ranks["exchange_messages"],
            wedges=wedges,
        )


def _facts(attributes: Mapping[str, Any]) -> dict[str, Fact]:
    """From the list of their meanings, "name [unit]: meaning", and the attributes of their names."""
    found = {}
    for line in attributes["facts"].splitlines():
        name, _, rest = line.partition(" [")
        unit, _, meaning = rest.partition("]: ")
        found[name] = Fact(attributes[name], unit, meaning)
    return found


def _plain(value: Any) -> Any:
    """An attribute as a text or a number of Python; h5py has bytes, and arrays of one."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value


def _words(variable: h5py.Dataset) -> list[str]:
    """Texts that NetCDF stores as lines of letters."""
    letters = np.ascontiguousarray(variable[...])
    return [bytes(line).rstrip(b"\0").decode() for line in letters]


def _counts(reasons: Sequence[str], variable: h5py.Dataset) -> dict[str, int]:
    return dict(zip(reasons, variable[...].tolist(), strict=True))


def _wedges(file: h5py.File) -> WedgeStatistics:
    scale, wedge, *values = (file[name][...] for name in OF_WEDGES)
    return WedgeStatistics(scale, wedge, dict(zip(OF_WEDGES[2:], values, strict=True)))
