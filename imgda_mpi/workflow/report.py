"""What analyses, runs, twin experiments, comparisons and verifications have achieved: a page, and tables in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from imgda_mpi import PROGRAM
from imgda_mpi.console import Stages
from imgda_mpi.disk import check_room
from imgda_mpi.faults import InputError
from imgda_mpi.report.analysis_maps import analysis_section
from imgda_mpi.report.comparison_pictures import comparison_section
from imgda_mpi.report.corrected_scales import scales_section
from imgda_mpi.report.cost import cost_section
from imgda_mpi.report.day_maps import day_maps_section
from imgda_mpi.report.depth_sections import depth_sections_section
from imgda_mpi.report.flow import flow_section
from imgda_mpi.report.followed_features import features_section
from imgda_mpi.report.innovation_series import innovation_series_section
from imgda_mpi.report.layer_maps import layer_maps_section
from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.mode_maps import modes_section
from imgda_mpi.report.page import Part, write_page
from imgda_mpi.report.page_files import FILES
from imgda_mpi.report.perturbation_maps import perturbations_section
from imgda_mpi.report.provenance import provenance_section
from imgda_mpi.report.rejected import rejected_section
from imgda_mpi.report.scale_errors import scale_errors_section
from imgda_mpi.report.score_maps import score_maps_section
from imgda_mpi.report.score_panels import score_panels_section
from imgda_mpi.report.station_anomalies import anomalies_section
from imgda_mpi.report.station_lines import station_lines_section
from imgda_mpi.report.station_maps import station_maps_section
from imgda_mpi.report.summary import summary_section
from imgda_mpi.report.water import water_section
from imgda_mpi.report.zoom_maps import zooms_section
from imgda_mpi.results.truth_file import TruthFile
from imgda_mpi.workflow.report_material import open_material
from imgda_mpi.workflow.report_tables import tables_of

log = logging.getLogger(__name__)

PARTS: Sequence[Part[Material]] = (
    Part("summary", "Summary", summary_section),
    Part("flow", "What was done", flow_section),
    Part("modes", "Modes of the background", modes_section),
    Part("perturbations", "Perturbed members", perturbations_section),
    Part("analysis", "One analysis", analysis_section),
    Part("zooms", "One analysis in boxes", zooms_section),
    Part("scales", "Scales that were corrected", scales_section),
    Part("features", "What the correction follows", features_section),
    Part("layer-maps", "Maps of two layers", layer_maps_section),
    Part("days", "Days", day_maps_section),
    Part("depth-sections", "Depth and time", depth_sections_section),
    Part("score-series", "Scores in time", score_panels_section),
    Part("errors-by-scale", "Errors by scale", scale_errors_section),
    Part("score-maps", "Scores in every cell", score_maps_section),
    Part("innovations", "Innovations", innovation_series_section),
    Part("station-maps", "Correlation and ubRMSE at stations", station_maps_section),
    Part("station-series", "Series at stations", station_lines_section),
    Part("anomalies", "Anomalies of a day at stations", anomalies_section),
    Part("comparison", "Methods beside each other", comparison_section),
    Part("water", "Water", water_section),
    Part("clamps", "Rejected pixels, and what soil could not take", rejected_section),
    Part("cost", "Time and memory", cost_section),
    Part("provenance", "Where it comes from", provenance_section),
)
"""Of the page, in its order."""


def report(folders: Sequence[Path], wanted: Wanted, truth: TruthFile | None = None, output: Path | None = None) -> str:
    """Write a page of what output folders hold, with its pictures and the numbers behind them; returns the tables.

    Not collective; nothing is computed that takes long.

    Parameters
    ----------
    folders : output folders of an analysis, a comparison, a verification, runs or a twin experiment; of several runs
        the one without analyses is what the others are held beside
    wanted : what is shown
    truth : the true image on the same grid, where it is known: scores are then also against it; only of one analysis
        alone
    output : folder of the page, the first of ``folders`` if None

    Raises
    ------
    InputError
        Where a folder holds none of these, what describes it is damaged, or the truth is on another grid or of another
        time. Other files that are damaged leave out the part of the page that needs them, with a warning.
    OutputError
        Where the page or a picture cannot be written.
    """
    stages = Stages()
    with stages.stage("opening"):
        material = open_material(folders, wanted, truth)
        check_room(output or folders[0], 0)
        said = _tables(material)
    _say_what_is_not_used(material)
    with stages.stage("pictures"):
        page = write_page(output or folders[0], material.title, _made_of(material), PARTS, material)
    log.info("the page is %s; its pictures and numbers are in %s", page, page.parent / FILES)
    return said


def _tables(material: Material) -> str:
    try:
        return tables_of(material)
    except InputError as err:
        log.warning("no tables: %s", err)
        return ""


def _say_what_is_not_used(material: Material) -> None:
    """Choices that change nothing of this page."""
    wanted, shown = material.wanted, material.main
    if wanted.day is not None and not material.stations:
        log.warning("--day is not used: it is for anomalies at stations, of a verification")
    if wanted.points and not material.stations and (shown is None or shown.run is None):
        log.warning("--point is not used: it is for sections of runs, and for series at stations")
    if wanted.time is not None and shown is not None and wanted.time < shown.times[0]:
        log.warning("--time: there is no analysis up to then; of %s the first one is shown", shown.name)


def _made_of(material: Material) -> str:
    names = ", ".join(str(folder) for folder in material.folders)
    today = datetime.now(UTC)
    return f"Made by {PROGRAM} on {today.day} {today:%B %Y} from {names}."
