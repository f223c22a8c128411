"""The images that an instrument gives of a run: files in the format of GLDAS, one for each moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.disk import make_whole
from imgda_mpi.example.gldas_file import write_gldas
from imgda_mpi.faults import fault, writing
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import Instant, instants, time_share
from imgda_mpi.results.twin_folder import IMAGES
from imgda_mpi.twin.instrument import HIGHEST, LOWEST, PIXELS, Instrument, n_clipped, seen

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

    @property
    def summary(self) -> str:
        """All of it in words."""
        new = self.n_images - self.n_kept
        kept = f", {self.n_kept} were there" if self.n_kept else ""
        share = f"{100.0 * self.n_clipped / max(self.n_pixels, 1):.2g} % of the values"
        clipped = f"; {share} clipped to {LOWEST:g}..{HIGHEST:g} m3 m-3" if new else ""
        return f"{new} images written{kept}{clipped}"


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
        for instant in instants(truth, *time_share(truth, comm.rank, comm.size)):
            path = directory / f"{instant.time:{IMAGES}}"
            n_images += 1
            if path.exists():
                n_kept += 1
                continue
            true = instant.history.image(LAYERS[0], instant.index)
            image = seen(true, instant.history.grid, instant.time, instrument)
            n_pixels += int(np.isfinite(image).sum())
            clipped += _write(path, instant, image, instrument)
    return Written(*(comm.allreduce(number) for number in (n_images, n_kept, n_pixels, clipped)))


def _write(path: Path, instant: Instant, image: FloatArray, instrument: Instrument) -> int:
    """Write an image; how many of its values are clipped."""
    if not np.isfinite(image).any():
        found, expected = "no land that the instrument sees", "soil on land without ice"
        do = "give a run of another region"
        raise fault(instant.history.path, "soil_moisture", found=found, expected=expected, do=do)
    clipped, history = n_clipped(image), "written by a twin experiment of imgda_mpi"
    more, values = _attributes(instrument, clipped), {SURFACE: image}
    make_whole(path, lambda at: write_gldas(at, instant.time, PIXELS, values, title=TITLE, history=history, more=more))
    return clipped


def _attributes(instrument: Instrument, clipped: int) -> dict[str, float | str]:
    return {
        "white_errors_standard_deviation": instrument.white,
        "coherent_errors_standard_deviation": instrument.coherent,
        "coherent_errors_length": instrument.length,
        "coherent_errors_days": instrument.days,
        "errors_seed": str(instrument.seed),
        "errors_comment": "deviations in m3 m-3; correlation exp(-d^2 / (2 length^2)), length in km, falling to 1/e in "
        f"so many days; values clipped to {LOWEST:g}..{HIGHEST:g} m3 m-3",
        "clipped_values": clipped,
    }
