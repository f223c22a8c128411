"""What an analysis, a comparison or a run has achieved: tables, and figures of the first two, from what they saved."""

from __future__ import annotations

from pathlib import Path

from imgda_mpi.faults import ConfigError, fault, settled_by
from imgda_mpi.report.comparison_figure import draw_images, draw_spectra
from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.report.figure import draw_analysis
from imgda_mpi.report.run_table import run_table
from imgda_mpi.report.tables import score_table
from imgda_mpi.report.twin_table import twin_table
from imgda_mpi.results.analysis_file import read_analysis, read_truth
from imgda_mpi.results.comparison_file import read_comparison
from imgda_mpi.results.propagation_file import read_propagation
from imgda_mpi.results.run_folder import RUN_FILE, open_run
from imgda_mpi.results.scores_file import read_scores
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.twin import CONTROL, Twin


def report(directory: Path, truth: Path | None = None) -> str:
    """Draw ``figure.png`` from what an output folder holds, for a comparison ``spectra.png`` too; returns the scores.

    Of a run of soil columns it returns the table of its water and draws nothing, of a twin experiment the table that
    this ended with.

    Parameters
    ----------
    directory : output folder of an analysis, of a comparison, of a run or of a twin experiment
    truth : CF NetCDF file with the true image ``soil_moisture`` on the same grid, at the time of the analysis or
        without time, where it is known: scores are then also against it; a comparison has its own, a run none

    Raises
    ------
    InputError
        Where a file cannot be read, or the truth is on another grid or of another time.
    OutputError
        Where the figure cannot be written.
    """
    comparison = directory / "comparison.nc"
    if comparison.is_file():
        if truth is not None:
            raise ConfigError(f"--truth {truth}: {directory} holds a comparison, which has its own truth; leave it out")
        saved_comparison = read_comparison(comparison)
        draw_images(saved_comparison, directory / "figure.png")
        if saved_comparison.stations is None:
            draw_spectra(saved_comparison, directory / "spectra.png")
        return comparison_table(saved_comparison)
    twin = TwinPaths(directory)
    if twin.scores.is_file():
        if truth is not None:
            raise ConfigError(f"--truth {truth}: {directory} holds a twin experiment, which has its own; leave it out")
        cycle = read_settings(twin.settings, Twin).cycle
        analyses = cycle.first_analysis, cycle.last_analysis
        return twin_table(read_scores(twin.scores), read_propagation(twin.propagation), CONTROL, analyses)
    if (directory / RUN_FILE).is_file():
        if truth is not None:
            raise ConfigError(f"--truth {truth}: {directory} holds a run, which is not scored; leave it out")
        return run_table(open_run(directory))
    if not (directory / "diagnostics.nc").is_file():
        raise fault(
            directory,
            found="no diagnostics.nc, comparison.nc, run.json or scores.csv",
            expected="the output folder of an analysis, a comparison, a run or a whole twin experiment",
            do="give the output directory of its settings",
        )
    saved = read_analysis(directory / "diagnostics.nc")
    rows = {"observation": (saved.background, saved.analysis, saved.observation)}
    if truth is not None:
        with settled_by("--truth"):
            rows["withheld truth"] = (saved.background, saved.analysis, read_truth(truth, saved))
    draw_analysis(saved, directory / "figure.png")
    return score_table(rows)
