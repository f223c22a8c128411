"""Images that runs are held against, and whether they were assimilated."""

from __future__ import annotations

from pathlib import Path

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import fault, settled_by
from imgda_mpi.histories.assimilated import assimilated_by
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.settings.verify import AnyReference, OfMoisture, OfProduct, Verification
from imgda_mpi.verify.status import ITSELF, status
from imgda_mpi.workflow.verify_fields import Reference
from imgda_mpi.workflow.verify_inputs import Inputs, analyses_of, check_times, have_all, series_of


def read_references(settings: Verification, inputs: Inputs) -> list[Reference]:
    """Open all images. On rank 0.

    Raises
    ------
    ImgdaError
        Also where there is no time that they and all runs have.
    """
    references = []
    for name, section in settings.images.items():
        with settled_by(f"[images.{name}]"):
            series = series_of(section, inputs.layers, inputs.times)
            _check_times(series, inputs)
            references.append(Reference(name, series, section.regridding, _statuses(settings, section, inputs)))
    return references


def _check_times(series: ImageSeries, inputs: Inputs) -> None:
    check_times(series, inputs.times, inputs.window)
    every = (*inputs.runs.values(), series)
    if not any(have_all(every, time, inputs.window) for time in inputs.times):
        do = "give images of the times of the runs, or other `times`"
        raise fault(series.what, found="no time that all runs have", expected="one at least", do=do)


def _statuses(settings: Verification, section: AnyReference, inputs: Inputs) -> list[list[str]]:
    """Whether the images were assimilated, by period and layer, in words."""
    if any(_same_files(section, run) for run in settings.runs.values()):
        return [[ITSELF] * len(inputs.layers) for _ in inputs.periods]
    assimilated = section.assimilated
    if assimilated is None:
        assimilated = said_by_runs(settings, section.file if isinstance(section, OfProduct) else None)
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


def said_by_runs(settings: Verification, file: Path | str | None) -> bool | None:
    """Whether any run has assimilated a file, as their folders say; None where one of the runs has no folder.

    ``file`` may contain strftime fields; None of what no run can have assimilated.
    """
    folders = settings.run_folders.values()
    if file is not None and any(assimilated_by(folder, file) for folder in folders):
        return True
    return False if len(folders) == len(settings.runs) else None
