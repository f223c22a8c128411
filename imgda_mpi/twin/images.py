"""The images that an instrument gives of a run: files in the format of GLDAS, one for each moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.example.gldas_file import write_gldas
from imgda_mpi.faults import fault, writing
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import Instant, instants
from imgda_mpi.twin.instrument import HIGHEST, LOWEST, PIXELS, Instrument, n_clipped, seen

FILE_PATTERN = "GLDAS_NOAH10_3H.A%Y%m%d.%H%M.021.nc4"

SURFACE = "SoilMoi0_10cm_inst"

TITLE = "Synthetic observations in the format of GLDAS2.1 LIS land surface model output; not GLDAS data"


@dataclass(frozen=True)
class Written:
    """What became of the images of a run.

    Parameters
    ----------
    n_images : moments of the run, all of which have files
    n_kept : those whose files were there before
    n_pixels, n_clipped : values in the new files, and those of them that are clipped
    """

    n_images: int
    n_kept: int
    n_pixels: int
    n_clipped: int

    def __str__(self) -> str:
        new = self.n_images - self.n_kept
        kept = f", {self.n_kept} were there" if self.n_kept else ""
        share = f"{100.0 * self.n_clipped / self.n_pixels:.2g} % of the values" if self.n_pixels else "no value"
        return f"{new} images written{kept}; {share} clipped to {LOWEST:g}..{HIGHEST:g} m3 m-3"


def write_images(truth: Run, instrument: Instrument, directory: Path, comm: MPI.Intracomm) -> Written:
    """Write what an instrument sees of the uppermost 0.1 m at every moment of a run. Collective over ``comm``.

    Ranks share the times; the bytes do not depend on who writes a file. A file appears whole or not at all under its
    name, and one that is there is kept: what a killed job has written need not be done again.

    Parameters
    ----------
    truth : a run without analyses
    instrument : its errors
    directory : made where there is none; holds images of this run and instrument alone

    Raises
    ------
    InputError
        Where the run has no cycle or a damaged history, or the instrument sees nothing of its land.
    OutputError
        Where a file cannot be written.
    """
    n_images = n_kept = n_pixels = clipped = 0
    with same_fate(comm):
        with writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
        for instant in _own(truth, comm):
            path = directory / f"{instant.time:{FILE_PATTERN}}"
            n_images += 1
            if path.exists():
                n_kept += 1
                continue
            true = instant.history.image(LAYERS[0], instant.index)
            image = seen(true, instant.history.grid, instant.time, instrument)
            n_pixels += int(np.isfinite(image).sum())
            clipped += n_clipped(image)
            _write(path, instant, image, instrument)
    return Written(*(comm.allreduce(number) for number in (n_images, n_kept, n_pixels, clipped)))


def _own(truth: Run, comm: MPI.Intracomm) -> Iterator[Instant]:
    """The moments of this rank: a stretch of time, so that few ranks need the same fields of coherent errors."""
    start, step = truth.description.start, timedelta(hours=3)
    offsets = share((truth.description.end - start) // step + 1, comm.size)
    own = range(offsets[comm.rank], offsets[comm.rank + 1])
    for instant in instants(truth):
        number = (instant.time - start) // step
        if number >= own.stop:
            break
        if number in own:
            yield instant


def _write(path: Path, instant: Instant, image: FloatArray, instrument: Instrument) -> None:
    if not np.isfinite(image).any():
        found, expected = "no land that the instrument sees", "soil on land without ice"
        do = "give a run of another region"
        raise fault(instant.history.path, "soil_moisture", found=found, expected=expected, do=do)
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        write_gldas(
            partial,
            instant.time,
            PIXELS,
            {SURFACE: image},
            title=TITLE,
            history="written by a twin experiment of imgda_mpi",
            more=_attributes(instrument, image),
        )
        partial.replace(path)


def _attributes(instrument: Instrument, image: FloatArray) -> dict[str, float | str]:
    return {
        "white_errors_standard_deviation": instrument.white,
        "coherent_errors_standard_deviation": instrument.coherent,
        "coherent_errors_length": instrument.length,
        "coherent_errors_days": instrument.days,
        "errors_seed": str(instrument.seed),
        "errors_comment": "deviations in m3 m-3; correlation exp(-d^2 / (2 length^2)), length in km, falling to 1/e in "
        f"so many days; values clipped to {LOWEST:g}..{HIGHEST:g} m3 m-3",
        "clipped_values": n_clipped(image),
    }
