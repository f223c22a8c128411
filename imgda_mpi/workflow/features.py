"""Features of the cells of an analysis or a comparison, from its restart and from files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray
from imgda_mpi.console import Stages
from imgda_mpi.faults import settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.model.features import cell_features
from imgda_mpi.model.restart import Restart
from imgda_mpi.numerics.features import Groups
from imgda_mpi.parallel.failure import from_rank_0
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.features import FeatureFile

log = logging.getLogger(__name__)


def features_of(settings: Settings, restart: Restart, land: BoolArray, stages: Stages, comm: MPI.Intracomm) -> Groups:
    """The groups of features of a restart's cells, beside the background itself. Collective.

    A section of the settings takes the place of the restart's group of its name.

    Raises
    ------
    InputError
    """
    sections, grid = settings.features, restart.patches.grid
    with stages.stage("features"):
        with settled_by("[model], [method] features"):
            of_restart = cell_features(restart, comm)
        of_files = from_rank_0(comm, lambda: features_of_files(sections, grid, land, settings.model.time))
        groups = {**of_restart, **of_files}
        told = [
            f"{name} ({group.shape[1]}{f' of {sections[name].file.name}' if name in sections else ''})"
            for name, group in groups.items()
        ]
        stages.say(", ".join(["moisture", *told]))
        if comm.rank == 0 and (replaced := of_restart.keys() & of_files.keys()):
            log.info("features of files in the place of the restart's: %s", ", ".join(sorted(replaced)))
    return groups


def features_of_files(sections: Mapping[str, FeatureFile], grid: Grid, land: BoolArray, time: datetime) -> Groups:
    """The group of each section ``[features.NAME]``, on land cells (ny, nx). Not collective.

    Raises
    ------
    InputError
    """
    groups = {}
    for name, section in sections.items():
        from imgda_mpi.observations.feature_maps import read_features  # on the one rank that reads

        with settled_by(f"[features.{name}]"):
            groups[name] = read_features(
                section.file, grid, land, time, variable=section.variable, has_classes=section.kind == "classes"
            )
        n_without, n_land = np.count_nonzero(np.diff(groups[name].indptr)[land.ravel()] == 0), int(land.sum())
        if n_without:
            log.info(
                "[features.%s]: %d of %d land cells have none, where the file has no value", name, n_without, n_land
            )
    return groups
