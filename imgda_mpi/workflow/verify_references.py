"""Images that runs are held against, and whether they were assimilated."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import fault, settled_by
from imgda_mpi.histories.assimilated import assimilated_by
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.observations.regrid import METHODS, bilinear
from imgda_mpi.results.analysis_file import read_analysis
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_records import ANALYSIS
from imgda_mpi.settings.verify import AnyReference, OfMoisture, OfProduct, Verification
from imgda_mpi.verify.status import ITSELF, OTHER_DATA, status
from imgda_mpi.workflow.verify_fields import Reference, States
from imgda_mpi.workflow.verify_inputs import Inputs, analyses_of, check_times, extent, series_of, times_of_periods

log = logging.getLogger(__name__)

ALIKE = 0.2
"""Of the innovation: an image that was stored or regridded in another way differs by less, another product by more."""


def read_references(settings: Verification, inputs: Inputs) -> list[Reference]:
    """Open all images. On rank 0.

    Raises
    ------
    ImgdaError
        Also where there is no time, place or layer that they and all runs have.
    """
    references = []
    for name, section in settings.images.items():
        with settled_by(f"[images.{name}]"):
            series = series_of(section, inputs.layers, inputs.times)
            _check_places_and_times(series, section.regridding, inputs)
            statuses = _statuses(settings, section, series, inputs)
        references.append(Reference(name, series, section.regridding, statuses))
        _read_first(references[-1], inputs)
    return references


def _check_places_and_times(series: ImageSeries, regridding: str, inputs: Inputs) -> None:
    """Refuse images of other places or times than those of the runs."""
    # The same grid takes no regridding: it may have a single row.
    if not series.grid.has_cells_of(inputs.grid):
        reached = METHODS[regridding](series.grid, inputs.grid)(np.ones(series.grid.shape))
        if not np.isfinite(reached).any():
            found, expected = extent(series.grid), f"some of the runs' {extent(inputs.grid)}"
            raise fault(series.what, "lat, lon", found=found, expected=expected, do="give images of the runs' region")
    check_times(series, inputs.times, inputs.window)


def _read_first(reference: Reference, inputs: Inputs) -> None:
    """Read the first images that are compared; refuse those of other times or layers than all runs have."""
    every = [(reference.series, reference.keys), *((run, f"[runs.{name}]") for name, run in inputs.runs.items())]
    has_time = False
    for time in (time for of_period in times_of_periods(inputs) for time in of_period):
        states = [States(series, time, inputs, keys) for series, keys in every]
        if all("after" in one.sides for one in states):
            common = [layer for layer in inputs.layers if all(one.has(layer) for one in states)]
            if common:
                for one in states:
                    one.of("after", common[0])
                return
            has_time = True
    if has_time:
        said = ", ".join(f"{100 * top:g}-{100 * bottom:g} cm" for top, bottom in inputs.layers)
        found, expected, do = (
            "no layer that all runs have too",
            f"one of {said}",
            "give images of them, or other `layers`",
        )
    else:
        found, expected = "no time that all runs have", "one at least"
        do = "give images of the times of the runs, or other `times`"
    with settled_by(reference.keys):
        raise fault(reference.series.what, found=found, expected=expected, do=do)


def _statuses(settings: Verification, section: AnyReference, series: ImageSeries, inputs: Inputs) -> list[list[str]]:
    """Whether the images were assimilated, by period and layer, in words."""
    if any(_same_files(section, run) for run in settings.runs.values()):
        return [[ITSELF] * len(inputs.layers) for _ in inputs.periods]
    assimilated = section.assimilated
    if assimilated is None and isinstance(section, OfProduct):
        assimilated = said_by_runs(settings, section.file)
        if not assimilated and any(_has_these_numbers(folder, series) for folder in settings.run_folders.values()):
            assimilated = True
        elif assimilated is False and analyses_of(settings) is not None:
            return [[OTHER_DATA] * len(inputs.layers) for _ in inputs.periods]
    elif assimilated is None:
        assimilated = said_by_runs(settings, None)
    analyses = analyses_of(settings)
    of_periods = []
    for first, last in inputs.periods.values():
        # Where no run folder says when there were analyses they may have been at any time.
        with_analyses = analyses is None or (first <= analyses[1] and last >= analyses[0])
        of_periods.append(
            [status(assimilated, as_it_is=with_analyses and layer == LAYERS[0]) for layer in inputs.layers]
        )
    return of_periods


def _same_files(section: AnyReference, run: OfMoisture) -> bool:
    return section.values("assimilated", "regridding") == run.values("assimilated", "regridding")


def _has_these_numbers(run: Path, series: ImageSeries) -> bool:
    """Whether the first analysis of a run at a time that a product has saw the same image, from whatever file.

    It is the same where it differs from what was observed by less than `ALIKE` of the innovation, root mean squares.
    """
    for cycle in open_run(run).cycles():
        time, diagnostics = cycle.record.time, cycle.directory / ANALYSIS / "diagnostics.nc"
        if cycle.record.analysis is None or not diagnostics.is_file():
            continue
        frames = series.at(time)
        if not frames or LAYERS[0] not in series.layers(frames[-1]):
            continue
        saved = read_analysis(diagnostics)
        image = bilinear(series.grid, saved.grid)(frames[-1].layer(LAYERS[0]))
        cells = np.isfinite(image) & np.isfinite(saved.observation) & np.isfinite(saved.background)
        apart = np.square(image - saved.observation)[cells].sum()
        innovation = np.square(saved.observation - saved.background)[cells].sum()
        if not apart < ALIKE**2 * innovation:
            return False
        share = 100.0 * float(np.sqrt(apart / innovation))
        said = "%s: is what %s has assimilated at %s, but for %.1f %% of the innovation: taken for the same data"
        log.info(said, series.what, run, f"{time:{DATE_TEXT}}", share)
        return True
    return False


def said_by_runs(settings: Verification, file: Path | str | None) -> bool | None:
    """Whether any run has assimilated a file, as their folders say; None where one of the runs has no folder.

    ``file`` may contain strftime fields; None of what no run can have assimilated.
    """
    folders = settings.run_folders.values()
    if file is not None and any(assimilated_by(folder, file) for folder in folders):
        return True
    return False if len(folders) == len(settings.runs) else None
