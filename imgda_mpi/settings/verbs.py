"""Which settings a verb reads."""

from __future__ import annotations

from pathlib import Path

from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.errors import ErrorEstimate
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.twin import Twin
from imgda_mpi.settings.verify import Verification

KINDS: dict[str, type[Section]] = {
    "analyse": Settings,
    "compare": Comparison,
    "errors": ErrorEstimate,
    "columns": ColumnsRun,
    "cycle": CycleRun,
    "twin": Twin,
    "verify": Verification,
}
"""The kind of settings of each verb that has one of its own; `check` reads all."""

READ_BY = {"plan": ("analyse", "cycle"), "status": ("cycle",), "check --done": ("analyse",)}
"""Whose settings other commands read."""

WORDS = {
    "analyse": "an analysis",
    "compare": "a comparison",
    "errors": "an estimate of errors",
    "columns": "a run of soil columns",
    "cycle": "a run of cycles",
    "twin": "a twin experiment",
    "verify": "a verification",
}
"""What a verb's settings are of."""


def instead(command: str, verb: str, path: Path) -> str:
    """What to do where a command does not read the settings of a verb: what is asked for, where that can be had.

    >>> instead("status", "analyse", Path("case.toml"))
    'ask `imgda_mpi check --done case.toml`'
    """
    asked = {("status", "analyse"): "check --done", ("check --done", "cycle"): "status"}.get((command, verb))
    if asked:
        return f"ask `imgda_mpi {asked} {path}`"
    if command in ("status", "check --done"):
        return f"`imgda_mpi check {path}` tells what is in the output folder of {WORDS[verb]}"
    if command == "plan":
        return f"there is no plan of {WORDS[verb]}, whose settings `imgda_mpi {verb}` and `imgda_mpi check` read"
    return f"`imgda_mpi {verb}` is what reads these"
