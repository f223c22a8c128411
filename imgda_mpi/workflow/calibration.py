"""What the steps of an analysis take on this machine, timed on one process with the case's own image and patches."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import coefficient_increment
from imgda_mpi.colm.soil_update import SoilColumns, update_soil
from imgda_mpi.config import Settings
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.curvelet.fourier import empty
from imgda_mpi.error_models.paper import PaperErrors
from imgda_mpi.parallel.cost import Problem
from imgda_mpi.solvers.wedge_statistics import piece_statistics
from imgda_mpi.spectral_errors import MEMBERS_PER_BLOCK, SampleVariance, add_member
from imgda_mpi.workflow.diagnostics import peak_memory
from imgda_mpi.workflow.inputs import Inputs
from imgda_mpi.workflow.output import checksum
from imgda_mpi.workflow.surface import SURFACE
from imgda_mpi.workflow.transform import make_transform

SAMPLE = 200_000  # patches whose update is timed
SAMPLE_BYTES = 50_000_000  # of files whose checksums are timed

SMALL_IMAGE = (64, 64)


@dataclass(frozen=True)
class MemberTimes:
    """Times of the steps of the update of coefficients, s.

    Parameters
    ----------
    perturb : to perturb a member and compute its spectrum
    transform : to compute a member's coefficients and take them into the moments of its block
    inverse : from all coefficients to the image
    add, update : to take a block's moments into the sums, and to update and sum up; of one coefficient
    """

    perturb: float
    transform: float
    inverse: float
    add: float
    update: float

    @property
    def member(self) -> float:
        """Seconds of all that is done for one member alone."""
        return self.perturb + self.transform


@dataclass(frozen=True)
class Calibration:
    """What a process takes on this machine: memory in bytes, times in seconds.

    Parameters
    ----------
    program : memory of the program with its libraries and the transform, without the arrays that `RankCost` counts
    start : until the program and what it compiles are loaded
    restart, observation : to read them
    checksum, deflate : to read a byte of a file for its checksum, and to deflate a byte of an image
    setup : to make the transform
    members : MemberTimes
    soil : to update one patch
    copy : to copy a byte in memory
    """

    program: int
    start: float
    restart: float
    observation: float
    checksum: float
    deflate: float
    setup: float
    members: MemberTimes
    soil: float
    copy: float


def calibrate(
    settings: Settings, inputs: Inputs, problem: Problem, seconds: dict[str, float], comm: MPI.Intracomm
) -> Calibration:
    """Time a part of each step, and see what memory the program has beside the arrays that are counted.

    Parameters
    ----------
    settings : Settings
    inputs : Inputs
        As one process reads them.
    problem : Problem
    seconds : mapping
        What they took: ``start``, ``restart`` and ``observation``.
    comm : MPI.Intracomm
        Of this process alone.
    """
    transform = inputs.transform
    assert transform is not None
    assert inputs.deviations is not None
    errors = PaperErrors(*inputs.deviations, problem.n_members, settings.errors.seed, settings.model.time)
    program = memory_in_use() - problem.inputs_bytes(problem.n_patch) - problem.places_bytes
    n_sample = min(SAMPLE, problem.n_patch)
    source, target = np.ones((2, 4_000_000))
    image = inputs.background.tobytes()
    return Calibration(
        program=program,
        start=seconds["start"],
        restart=seconds["restart"],
        observation=seconds["observation"],
        checksum=_checksum_time(inputs.files),
        deflate=_best(lambda: zlib.compress(image, level=1)) / len(image),
        setup=_best(lambda: make_transform(settings.curvelet, transform.layout.image_shape, comm), 1),
        members=time_members(transform, errors),
        soil=_best(lambda: _update(inputs.soil, n_sample), 1) / n_sample,
        copy=_best(lambda: np.copyto(target, source)) / source.nbytes,
    )


def load_program(settings: Settings) -> float:
    """Work on a small image to load what is loaded at its first call; s of work since the process began."""
    dtype = np.float64 if settings.curvelet.precision == "double" else np.float32
    time_members(CurveletTransform(SMALL_IMAGE, dtype=dtype), PaperErrors(1.0, 1.0, 2, 0, settings.model.time))
    # Work, not time: that depends on what the disk still had in memory.
    return time.process_time()


def time_members(transform: CurveletTransform, errors: PaperErrors) -> MemberTimes:
    """Time the steps of the update of coefficients."""
    chunks, dtype = transform.layout.chunks, transform.dtype
    spectra = [transform.empty_spectrum() for _ in range(2)]
    n_most = max(chunk.stop - chunk.start for chunk in chunks)
    sums, moments = SampleVariance(n_most, dtype), np.ones((2, n_most), dtype)
    piece = max((chunk.pieces[0] for chunk in chunks), key=lambda piece: piece.stop - piece.start)
    part = np.ones(piece.stop - piece.start, dtype)

    # As in an analysis each array is new: to get memory from the system takes its time.
    def perturb() -> None:
        for member, spectrum in enumerate(spectra):
            noise = errors.deviation("background", member, transform.layout.image_shape, dtype)
            transform.to_spectrum(noise, spectrum)

    def coefficients() -> None:
        for chunk in chunks:
            n = chunk.stop - chunk.start
            of_chunk = np.empty(2 * n, dtype)
            for n_before, spectrum in enumerate(spectra):
                values = empty((n,), dtype)
                transform.to_coefficients(spectrum, chunk, values)
                add_member(of_chunk.reshape(2, n), values, n_before)

    def inverse() -> None:
        for chunk in reversed(chunks):
            transform.from_coefficients(np.zeros(chunk.stop - chunk.start, dtype), chunk, spectra[0])
        transform.to_image(spectra[0], np.empty(transform.layout.image_shape, dtype))

    def update() -> None:
        piece_statistics(transform.layout, piece, part, part, part, coefficient_increment(part, part, part))

    return MemberTimes(
        perturb=_best(perturb) / len(spectra),
        # Spectra are made anew: the last chunk has changed them.
        transform=_best(coefficients, before=perturb) / len(spectra),
        inverse=_best(inverse),
        add=_best(lambda: sums.add(slice(0, n_most), moments.copy(), MEMBERS_PER_BLOCK, MEMBERS_PER_BLOCK)) / n_most,
        update=_best(update) / part.size,
    )


def memory_in_use() -> int:
    """Bytes that this process has in memory now; where the system does not tell, the most it has had."""
    try:
        resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)
    except (OSError, StopIteration):
        return peak_memory()
    return int(resident.split()[1]) * 1024


def _checksum_time(files: Sequence[Path]) -> float:
    """Seconds of a byte."""
    n_bytes, start = 0, time.perf_counter()
    for file in files:
        checksum(file)
        n_bytes += file.stat().st_size
        if n_bytes > SAMPLE_BYTES:
            break
    return (time.perf_counter() - start) / n_bytes


def _update(soil: SoilColumns, n: int) -> None:
    sample = SoilColumns(**{name: values[:n] for name, values in vars(soil).items()})
    update_soil(sample, np.full(n, 0.01), SURFACE)


def _best(step: Callable[[], object], repeat: int = 2, before: Callable[[], object] | None = None) -> float:
    """Least time of a few calls, s: others on the machine only make a call slower."""
    times = []
    for _ in range(repeat):
        if before is not None:
            before()
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)
