"""The folder of a run, of soil columns or of CoLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imgda_mpi.faults import fault, reading
from imgda_mpi.histories.colm202x import history_series
from imgda_mpi.histories.colm2014 import flux_series
from imgda_mpi.histories.columns import column_series
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.results.run_folder import HISTORY_FILE, Cycle, Run, open_run

COLM202X, COLM2014 = "*_hist_*.nc", "*_2D_Fluxes_*"
"""Names of the models' own histories."""


def open_run_folder(directory: Path, *, layers: Sequence[Layer]) -> ImageSeries:
    """The histories of the complete cycles of a run. Not collective.

    Parameters
    ----------
    directory : of the run
    layers : that are asked for, m

    Raises
    ------
    InputError
        Where the folder is that of no run, the run has no complete cycle, one is missing between others, or its
        histories are gone or damaged.
    """
    run = open_run(directory)
    cycles = run.check_chain()
    if not cycles:
        raise fault(directory, found="no complete cycle", expected="one at least", do="run it first")
    if any(cycle.history.is_file() for cycle in cycles):
        _check_histories(cycles)
        return column_series(run, layers)
    for pattern in (COLM202X, COLM2014):
        found = {cycle.directory: _histories(cycle, pattern) for cycle in cycles}
        if any(found.values()):
            return _of_colm(run, cycles, found, pattern, layers)
    expected = f"{HISTORY_FILE} of soil columns, or CoLM's own {COLM202X} or {COLM2014}"
    found_none = f"no history in any of {len(cycles)} cycles"
    raise fault(directory, found=found_none, expected=expected, do="put the histories back, or run it again")


def _of_colm(
    run: Run, cycles: Sequence[Cycle], found: dict[Path, list[Path]], pattern: str, layers: Sequence[Layer]
) -> ImageSeries:
    """CoLM's own histories; means of days are in the last cycle of the day alone."""
    files = [path for of_cycle in found.values() for path in of_cycle]
    if pattern == COLM202X:
        series = history_series(str(run.directory), files, layers)
    else:
        since = {path: cycle.record.time for cycle in cycles for path in found[cycle.directory]}
        series = flux_series(str(run.directory), files, layers, since)
    n_without = sum(not of_cycle for of_cycle in found.values())
    if n_without:
        return replace(series, remarks=(*series.remarks, f"{n_without} of {len(cycles)} cycles have no history"))
    return series


def _check_histories(cycles: Sequence[Cycle]) -> None:
    gone = [cycle for cycle in cycles if not cycle.history.is_file()]
    if gone:
        found = f"no history, as in {len(gone)} of {len(cycles)} cycles"
        do = "put the histories back, or remove this cycle and those after it and run them again"
        raise fault(gone[0].directory, found=found, expected=HISTORY_FILE, do=do)


def _histories(cycle: Cycle, pattern: str) -> list[Path]:
    folder = cycle.directory / "history"
    with reading(folder):
        return sorted(folder.glob(pattern))
