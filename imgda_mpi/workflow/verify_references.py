"""Images that runs are held against, and whether they were assimilated."""

from __future__ import annotations

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import settled_by
from imgda_mpi.histories.assimilated import assimilated_by
from imgda_mpi.settings.verify import AnyReference, OfProduct, Verification
from imgda_mpi.verify.status import status
from imgda_mpi.workflow.verify_fields import Reference
from imgda_mpi.workflow.verify_inputs import Inputs, analyses_of, series_of


def read_references(settings: Verification, inputs: Inputs) -> list[Reference]:
    """Open all images. On rank 0.

    Raises
    ------
    ImgdaError
    """
    references = []
    for name, section in settings.images.items():
        with settled_by(f"[images.{name}]"):
            series = series_of(section, inputs.layers, inputs.times)
            references.append(Reference(name, series, section.regridding, _statuses(settings, section, inputs)))
    return references


def _statuses(settings: Verification, section: AnyReference, inputs: Inputs) -> list[list[str]]:
    """Whether the images were assimilated, by period and layer, in words."""
    assimilated = section.assimilated
    if assimilated is None:
        assimilated = _said_by_runs(settings, section)
    analyses = analyses_of(settings)
    of_periods = []
    for first, last in inputs.periods.values():
        # Where no run folder says when there were analyses they may have been at any time.
        with_analyses = analyses is None or (first <= analyses[1] and last >= analyses[0])
        of_periods.append(
            [status(assimilated, as_it_is=with_analyses and layer == LAYERS[0]) for layer in inputs.layers]
        )
    return of_periods


def _said_by_runs(settings: Verification, section: AnyReference) -> bool | None:
    """Whether any run has assimilated it, as their folders say; None where one of the runs has no folder."""
    folders = settings.run_folders.values()
    if isinstance(section, OfProduct) and any(assimilated_by(folder, section.file) for folder in folders):
        return True
    return False if len(folders) == len(settings.runs) else None
