"""An estimate of the errors of background and observation, from them and a third product."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import Stages, progress
from imgda_mpi.disk import listing
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.read import check_level
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.results.folder import check_output, new_directory
from imgda_mpi.results.manifest import checksums, write_manifest
from imgda_mpi.settings.errors import ErrorEstimate
from imgda_mpi.verify.triples import SEED, TripleErrors, Triples
from imgda_mpi.workflow.series import Said, files_by_time, grid_at, image_at, times_with_files

log = logging.getLogger(__name__)

ROOM = 10**6  # bytes of the result


def errors(settings: ErrorEstimate, comm: MPI.Intracomm) -> str | None:
    """Estimate errors from three products, and save them where that is asked for. Collective over ``comm``.

    Table and settings of an analysis, which are returned on rank 0 and None elsewhere, do not depend on the number of
    ranks.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages, by_time = Stages(), files_by_time(settings.products, several=settings.times is not None)
    listed = from_rank_0(comm, lambda: listing(by_time))
    found, files = _estimate(settings, stages, comm)

    def said() -> tuple[str, str]:
        from imgda_mpi.report.errors_table import errors_table, settings_of  # on the one rank that writes

        return errors_table(found), settings_of(found)

    texts = on_rank_0(comm, said)
    if settings.output is not None:
        _save(settings, settings.output.directory, found, texts, files, listed, comm)
    return None if texts is None else "\n\n".join(texts)


def check_errors(settings: ErrorEstimate, comm: MPI.Intracomm) -> None:
    """Read everything as `errors` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that an estimate would stop at.
    """
    _estimate(settings, Stages(), comm)
    if comm.rank == 0:
        log.info("nothing stands in the way of the estimate")


def _estimate(settings: ErrorEstimate, stages: Stages, comm: MPI.Intracomm) -> tuple[TripleErrors, list[Path]]:
    """What the three products say, and every file that was read. Collective."""
    if settings.output is not None:
        with settled_by("[output]"):
            check_output(settings.output.directory, lambda: ROOM, comm)

    def asked() -> tuple[list[datetime], Grid]:
        times, _ = times_with_files(settings.products, settings.all_times, several=settings.times is not None)
        return times, grid_at(settings.grid, settings.products, times[0])

    times, grid = from_rank_0(comm, asked)
    with stages.stage("transform"), settled_by("[curvelet]"):
        # That of an analysis with variances from the innovation.
        kind, shape = TransformKind(**settings.curvelet.values()).on(grid, scales_by_size=True)
        triples = Triples(grid, make_transform(kind, shape, comm), comm)
        stages.say(f"{kind.n_scales} scales on {shape[0]} x {shape[1]}")
    with stages.stage("images"):
        said, files = Said(), dict[Path, None]()
        for time in progress(times, "times", speaks=comm.rank == 0):
            images, of_time = from_rank_0(comm, partial(_images, settings, grid, time, said))
            with settled_by("[background], [observation], [third]"):
                triples.add(images)
            files.update(dict.fromkeys(of_time))
        if comm.rank == 0:
            said.say(len(times))
        with settled_by("[background], [observation], [third]"), same_fate(comm):
            found = triples.errors()
        stages.say(f"{found.n_times} time(s), {found.n_cells} cells that all three have")
    return found, list(files)


def _images(settings: ErrorEstimate, grid: Grid, time: datetime, said: Said) -> tuple[FloatArray, list[Path]]:
    """The images (3, ny, nx) of a time, seen to be of the background's level, and their files. On rank 0."""
    read: dict[str, ObservedImage] = {}
    for name, section in settings.products.items():
        image = image_at(name, section, grid, time, settings.window)
        background = read.get("background", image)
        if name != "background" and not section.allow_unlike_background:
            with settled_by(f"[{name}]"):
                check_level(image.values, background.values, background.observed & image.observed, image.source)
        said.note(name, image)
        read[name] = image
    return np.stack([image.values for image in read.values()]), [file for one in read.values() for file in one.files]


def _save(
    settings: ErrorEstimate,
    final: Path,
    found: TripleErrors,
    texts: tuple[str, str] | None,
    files: list[Path],
    listed: Mapping[str, str],
    comm: MPI.Intracomm,
) -> None:
    """Write the result; ``texts`` are on rank 0, ``listed`` as of `write_manifest`. Collective."""
    in_force = settings.model_dump_json()
    with new_directory(final, comm) as directory:
        written = [directory / name for name in ("errors.nc", "table.txt", "errors.toml")]
        with same_fate(comm):
            if texts is not None:
                from imgda_mpi.results.errors_file import write_errors  # on the one rank that writes

                write_errors(written[0], found, in_force)
                for path, text in zip(written[1:], texts, strict=True):
                    path.write_text(f"{text}\n")
        write_manifest(directory, written, checksums(files, comm), in_force, SEED, comm, listed=listed)
    log.info("result in %s", final)
