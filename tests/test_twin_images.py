"""The images of a run in files of GLDAS's format: read back, kept after a kill, the same on any number of ranks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi4py import MPI
from problems import SELF, agree
from runs import HOUR, START, make_cycle, new_test_run, shared_folder

from imgda_mpi.example import gldas_file
from imgda_mpi.faults import InputError, OutputError
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.observations.read import load_image
from imgda_mpi.results.history_file import FLUXES, HistoryWriter, Moment
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.twin_folder import IMAGES
from imgda_mpi.twin import images
from imgda_mpi.twin.images import write_images
from imgda_mpi.twin.instrument import PIXELS, Instrument, ground, seen

GRID = global_grid((64, 128))
INSTRUMENT = Instrument(white=0.02, coherent=0.01, length=800.0, days=3.0, seed=2**63 + 1)


def moisture(time: datetime, grid: Grid = GRID) -> np.ndarray:
    """A smooth image that is another one at every time, without soil in the south."""
    waves = np.outer(
        np.sin(np.radians(3.0 * grid.latitude)), np.cos(np.radians(2.0 * grid.longitude + 15.0 * time.hour))
    )
    return np.where(grid.latitude[:, None] > -30.0, 0.3 + 0.1 * waves, np.nan)


def nature(folder: Path, comm: MPI.Intracomm = SELF) -> Run:
    """A run of two windows of 6 and 12 hours without analyses."""
    run = new_test_run(folder, comm)
    first = make_cycle(run, comm, begin=0, end=6)
    second = make_cycle(run, comm, begin=6, end=18, origin=first.record.as_origin)
    if comm.rank == 0:
        for cycle in (first, second):
            n = (cycle.record.end - cycle.record.time) // (3 * HOUR)
            cycle.history.unlink()
            with HistoryWriter(cycle.history, GRID, n_columns=40, n_left_alone=3) as writer:
                for number in range(n + 1):
                    time = cycle.record.time + number * 3 * HOUR
                    layers = np.stack([moisture(time), moisture(time) + 0.1, moisture(time)])
                    fluxes = dict.fromkeys(FLUXES, np.zeros(GRID.shape)) if number else None
                    writer.add(Moment(time, layers, fluxes))
    comm.Barrier()
    return run


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


NAMES = [f"{START + hour * HOUR:{IMAGES}}" for hour in range(0, 19, 3)]


def test_every_moment_has_its_image(tmp_path: Path) -> None:
    done = write_images(nature(tmp_path / "run"), INSTRUMENT, tmp_path / "observations", SELF)
    assert [path.name for path in sorted((tmp_path / "observations").iterdir())] == NAMES
    assert (done.n_images, done.n_kept, done.n_clipped) == (7, 0, 0)
    assert done.summary == "7 images written; 0 % of the values clipped to 0.01..0.6 m3 m-3"
    for hour, name in zip(range(0, 19, 3), NAMES, strict=True):
        time = START + hour * HOUR
        with netCDF4.Dataset(tmp_path / "observations" / name) as file:
            image = np.ma.filled(file["SoilMoi0_10cm_inst"][0].astype(float), np.nan) / 100.0
        expected = seen(moisture(time).astype(np.float32).astype(float), GRID, time, INSTRUMENT)
        np.testing.assert_allclose(image, expected, rtol=1e-6)


@pytest.mark.parametrize("rows", [64, 128])
@pytest.mark.parametrize("regridding", ["bilinear", "conservative"])
def test_the_reader_of_gldas_gives_the_truth_within_the_errors(tmp_path: Path, rows: int, regridding: str) -> None:
    write_images(nature(tmp_path / "run"), INSTRUMENT, tmp_path / "observations", SELF)
    grid, time = global_grid((rows, 2 * rows)), START + 9 * HOUR
    how = {"regridding": regridding, "max_time_offset": 1.0}
    image = load_image("gldas", grid, time, file=tmp_path / "observations" / IMAGES, **how)
    assert image.time == time
    truth = moisture(time, grid)
    difference = (image.values - truth)[image.observed & np.isfinite(truth)]
    assert 0.2 * image.observed.size < difference.size < 0.3 * image.observed.size
    assert abs(difference.mean()) < 0.004
    # Of the white errors is left what a mean over the pixels of a cell leaves; the truth is a little smoothed.
    assert 0.01 < difference.std() < 0.023


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    write_images(nature(tmp_path / "run"), INSTRUMENT, tmp_path / "observations", SELF)
    with netCDF4.Dataset(tmp_path / "observations" / NAMES[2]) as file:
        assert file.title.startswith("Synthetic observations")
        assert file.white_errors_standard_deviation == 0.02
        assert file.coherent_errors_standard_deviation == 0.01
        assert (file.coherent_errors_length, file.coherent_errors_days) == (800.0, 3.0)
        assert (file.errors_seed, file.clipped_values) == (str(2**63 + 1), 0)
        assert (file.DX, file.SOUTH_WEST_CORNER_LAT, file.SOUTH_WEST_CORNER_LON) == (1.0, -59.5, -179.5)
        np.testing.assert_array_equal(file["lat"][:], PIXELS.latitude)
        assert netCDF4.num2date(file["time"][0], file["time"].units.strip()) == (START + 6 * HOUR).replace(tzinfo=None)
        assert [name for name in file.variables if "Soil" in name] == ["SoilMoi0_10cm_inst"]
        assert not np.ma.getmaskarray(file["SoilMoi0_10cm_inst"][0])[ground() & (PIXELS.latitude > -25)[:, None]].any()


def test_a_killed_job_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, folder = nature(tmp_path / "run"), tmp_path / "observations"
    write_images(run, INSTRUMENT, tmp_path / "whole", SELF)

    def killed(path: Path, time: datetime, *more: object, **named: object) -> None:
        if time == START + 9 * HOUR:
            path.write_bytes(b"half of it")
            raise KeyboardInterrupt
        gldas_file.write_gldas(path, time, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "write_gldas", killed)
    with pytest.raises(KeyboardInterrupt):
        write_images(run, INSTRUMENT, folder, SELF)
    monkeypatch.undo()
    assert sorted(path.name for path in folder.glob("GLDAS*")) == NAMES[:3]
    before = [(folder / name).stat().st_mtime_ns for name in NAMES[:3]]
    done = write_images(run, INSTRUMENT, folder, SELF)
    assert (done.n_images, done.n_kept) == (7, 3)
    assert "4 images written, 3 were there" in done.summary
    assert [(folder / name).stat().st_mtime_ns for name in NAMES[:3]] == before
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")


def test_land_that_the_instrument_does_not_see_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(nature.__globals__, "moisture", lambda time: np.full(GRID.shape, np.nan))
    with pytest.raises(InputError, match="soil_moisture: found no land that the instrument sees"):
        write_images(nature(tmp_path / "run"), INSTRUMENT, tmp_path / "observations", SELF)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_images(nature(tmp_path / "run"), INSTRUMENT, tmp_path / "file", SELF)


@pytest.mark.mpi
def test_any_number_of_ranks_writes_the_same(tmp_path: Path) -> None:
    comm = MPI.COMM_WORLD
    folder = shared_folder(tmp_path, comm)
    run = nature(folder / "run", comm)
    together = write_images(run, INSTRUMENT, folder / "together", comm)
    alone = write_images(run, INSTRUMENT, folder / f"alone{comm.rank}", SELF)
    comm.Barrier()
    assert agree(comm, together == alone)
    assert agree(comm, bytes_of(folder / "together") == bytes_of(folder / f"alone{comm.rank}"))
