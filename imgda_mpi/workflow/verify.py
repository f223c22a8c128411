"""A verification: runs beside images, stations and their own innovations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.console import Stages
from imgda_mpi.disk import listing
from imgda_mpi.faults import ConfigError, settled_by
from imgda_mpi.grid import SMALLEST
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.results.folder import check_output, new_directory
from imgda_mpi.results.manifest import checksums, write_manifest
from imgda_mpi.results.run_folder import CYCLE_FILE, CYCLES, RUN_FILE
from imgda_mpi.settings.verify import ClassesOf2014, OfProduct, OfRun, Verification
from imgda_mpi.verify.scales import scales_on
from imgda_mpi.workflow.chosen_stations import Chosen
from imgda_mpi.workflow.verify_fields import Judged, Reference, verify_fields
from imgda_mpi.workflow.verify_innovations import check_innovations, verify_innovations
from imgda_mpi.workflow.verify_inputs import Inputs, Part, analyses_of, at_scales, read_inputs, times_of_periods
from imgda_mpi.workflow.verify_references import read_references
from imgda_mpi.workflow.verify_stations import choose_all, verify_stations

log = logging.getLogger(__name__)

TEXT = "verification.txt"


def verify(settings: Verification, comm: MPI.Intracomm) -> str | None:
    """Score runs, and write what was found; the tables are returned on rank 0, None elsewhere. Collective.

    The result does not depend on the number of ranks.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages, listed = Stages(), from_rank_0(comm, lambda: listing(_inputs(settings)))
    ready = prepare_verification(settings, stages, comm)
    inputs = ready.inputs
    of_images: list[Part] = []
    of_stations: list[Part] = []
    of_innovations: list[Part] = []
    with new_directory(settings.output.directory, comm) as directory:
        # What may find a damaged file soon comes before images, which take longest.
        if settings.innovations and settings.run_folders:
            with stages.stage("innovations"):
                of_innovations = verify_innovations(settings, inputs, directory, comm)
        if settings.stations:
            with stages.stage("stations"):
                of_stations = verify_stations(settings, inputs, ready.stations, directory, comm)
        if ready.references:
            with stages.stage("images"):
                of_images = _images(settings, inputs, ready.references, directory, comm)
        parts = [*of_images, *of_stations, *of_innovations]
        text = on_rank_0(comm, lambda: _text(parts, directory))
        written = comm.bcast([*(file for part in parts for file in part.written), directory / TEXT])
        known = checksums(from_rank_0(comm, lambda: _known_files(settings)), comm)
        write_manifest(directory, written, known, settings.model_dump_json(), "none", comm, listed=listed)
    if comm.rank == 0:
        log.info("all tables are in %s", settings.output.directory / TEXT)
    return text


def check_verification(settings: Verification, comm: MPI.Intracomm) -> None:
    """Open everything as `verify` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that a verification would stop at before it scores.
    """
    prepare_verification(settings, Stages(), comm)
    if comm.rank == 0:
        log.info("nothing stands in the way of the verification")


@dataclass(frozen=True, eq=False)
class Ready:
    """What is opened before anything is scored, the same on every rank.

    Parameters
    ----------
    inputs
    references : images
    stations : by section, on rank 0, None elsewhere
    """

    inputs: Inputs
    references: list[Reference]
    stations: dict[str, Chosen] | None


def prepare_verification(settings: Verification, stages: Stages, comm: MPI.Intracomm) -> Ready:
    """Open runs, images and stations, and see that the result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank.
    """
    with stages.stage("inputs"):
        inputs = from_rank_0(comm, lambda: read_inputs(settings))
        references = from_rank_0(comm, lambda: read_references(settings, inputs))
        on_rank_0(comm, lambda: _check_something(settings))
        stations = on_rank_0(comm, lambda: choose_all(settings, inputs))
        n_times = sum(map(len, times_of_periods(inputs)))
        stages.say(f"runs: {len(inputs.runs)}, times: {n_times}, periods: {', '.join(inputs.periods)}")
    maps = 4 * 4 * len(inputs.periods) * len(inputs.runs) * len(inputs.layers) * inputs.grid.cell_area.size
    with settled_by("[output]"):
        check_output(settings.output.directory, lambda: len(references) * maps + 10**6, comm)
    return Ready(inputs, references, stations)


def _check_something(settings: Verification) -> None:
    """Refuse settings of which nothing would come, and analyses without diagnostics. On rank 0."""
    if settings.innovations:
        check_innovations(settings)
    if not (settings.images or settings.stations or (settings.innovations and analyses_of(settings))):
        raise ConfigError(
            "nothing to verify: no [images.NAME], no [stations.NAME], and no run folder with analyses; give one of them"
        )


def _images(
    settings: Verification,
    inputs: Inputs,
    references: list[Reference],
    directory: Path,
    comm: MPI.Intracomm,
) -> list[Part]:
    """Scores against all images; nothing but on rank 0. Collective."""
    scales = scales_on(inputs.grid, comm) if min(inputs.grid.transform_shape()) >= SMALLEST else None
    times = [time for of_period in times_of_periods(inputs) for time in of_period]
    judged = Judged(inputs, scales, at_scales(times, settings.scales_every))
    parts: list[Part] = []
    for reference in references:
        parts += verify_fields(judged, reference, directory, comm)
    return parts


def _inputs(settings: Verification) -> list[Path]:
    """Names of all that is read, most of which is found by the time. A cycle of a run is whole, and does not change."""
    found: list[Path] = []
    for section in (*settings.runs.values(), *settings.images.values()):
        if isinstance(section, OfRun):
            found += [section.directory / CYCLES / "*" / name for name in (CYCLE_FILE, "history/*")]
        elif isinstance(section, OfProduct):
            found += [section.file, *([section.mask.file] if section.mask and section.mask.file else [])]
        else:
            found.append(section.files)
    found += [section.file for section in settings.stations.values()]
    if settings.rain is not None:
        found.append(settings.rain.file)
    if isinstance(settings.classes, ClassesOf2014):
        found.append(settings.classes.const_file)
    elif settings.classes is not None:
        found.append(settings.classes.directory / "landdata")
    return list(dict.fromkeys(found))


def _known_files(settings: Verification) -> list[Path]:
    """What the manifest has of what was read: files of stations, and what describes run folders; images are many."""
    stations = (section.file for section in settings.stations.values() if section.file.is_file())
    return list(dict.fromkeys([*(folder / RUN_FILE for folder in settings.run_folders.values()), *stations]))


def _text(parts: list[Part], directory: Path) -> str:
    """What the screen shows of all tables, which are written. On rank 0."""
    (directory / TEXT).write_text("\n\n".join(part.text for part in parts) + "\n")
    return "\n\n".join(part.summary or part.text for part in parts)
