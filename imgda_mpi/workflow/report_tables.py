"""What a report prints: the tables in words of all that it is made of."""

from __future__ import annotations

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.run_table import run_table
from imgda_mpi.report.tables import score_table
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis


def tables_of(material: Material) -> str:
    """Scores of analyses alone, of a comparison, of a twin experiment; of runs of soil columns the water.

    Raises
    ------
    InputError
        Where a run has no cycle, cycles that do not follow one another, or a history that cannot be read.
    """
    said = [] if material.comparison is None else [comparison_table(material.comparison)]
    said += [_scores(ran, material) for ran in material.runs if ran.run is None and ran.analyses]
    if material.table:
        said.append(material.table)
    elif not material.fields:
        named = [(ran.name, ran.run) for ran in material.runs if ran.run is not None and ran.has_columns]
        said += [f"{name}\n{run_table(run)}" if len(named) > 1 else run_table(run) for name, run in named]
    return "\n\n".join(said)


def _scores(ran: Ran, material: Material) -> str:
    """Of an analysis alone, against the assimilated image, and the truth where it is known."""
    saved = read_analysis(ran.analyses[0] / DIAGNOSTICS)
    rows: dict[str, tuple[FloatArray, FloatArray, FloatArray]] = {
        "assimilated": (saved.background, saved.analysis, saved.observation)
    }
    if material.truth is not None:
        rows["withheld truth"] = saved.background, saved.analysis, material.truth
    return score_table(rows)
