"""The embedded model's case on grids of other sizes and at other times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from column_cases import HOUR, run, settings_of
from launch import load
from mpi4py import MPI

from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.columns.restart import read_columns
from imgda_mpi.example.case import write_case
from imgda_mpi.example.files import TIME
from imgda_mpi.faults import ConfigError, OutputError
from imgda_mpi.grid import global_grid
from imgda_mpi.results.run_images import images

EVENING = datetime(2021, 12, 1, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of 64 rows on a winter's evening."""
    return write_case(tmp_path_factory.mktemp("coarse"), 64, EVENING)


@pytest.mark.restart_io
def test_it_is_read_as_a_restart_of_its_grid_and_time(coarse: Path) -> None:
    own = read_columns(open_restart(coarse, "demo", EVENING, 2005, MPI.COMM_SELF))
    assert own.restart.time == EVENING
    patches = own.all_patches
    assert patches is not None
    assert patches.grid.has_cells_of(global_grid((64, 128)))
    assert 0.22 < np.unique(patches.cell).size / (64 * 128) < 0.40


@pytest.mark.restart_io
def test_soil_columns_run_on_it(coarse: Path, tmp_path: Path) -> None:
    made = run(settings_of(coarse, tmp_path / "out", hours=1, start=EVENING))
    moments = list(images(made, (0.0, 0.1)))
    assert [time for time, _, _ in moments] == [EVENING, EVENING + HOUR]
    for _, _, image in moments:
        assert image.shape == (64, 128)
        assert 0.15 < np.nanmean(image) < 0.35


def test_the_case_of_the_example_is_the_examples(example: Path, tmp_path: Path) -> None:
    case, theirs = write_case(tmp_path, 128, TIME), example / "model/demo"
    names = [path.relative_to(theirs) for path in sorted(theirs.rglob("*.nc"))]
    assert names == [path.relative_to(case) for path in sorted(case.rglob("*.nc"))]
    assert all((case / name).read_bytes() == (theirs / name).read_bytes() for name in names)


def test_the_sun_is_that_of_the_time(coarse: Path) -> None:
    const = load(coarse / "restart/const/demo_restart_const_lc2005_w090_n00.nc")
    state = load(coarse / f"restart/{stamp(EVENING)}/demo_restart_{stamp(EVENING)}_lc2005_w090_n00.nc")
    latitude, longitude = np.degrees(const["patchlatr"]), np.degrees(const["patchlonr"])
    # Noon at 90 W, and the polar night.
    assert (state["coszen"][(np.abs(longitude + 90.0) < 10.0) & (latitude < 60.0)] > 0.0).all()
    assert (state["coszen"][latitude > 69.0] < 0.0).all()


def test_a_time_of_another_zone_is_the_same_moment(tmp_path: Path) -> None:
    there = EVENING.astimezone(timezone(timedelta(hours=8)))
    case = write_case(tmp_path, 32, there)
    assert (case / "restart" / stamp(EVENING)).is_dir()


@pytest.mark.parametrize("rows", [0, 30, 63, 258])
def test_a_grid_that_cannot_be_made_is_refused(tmp_path: Path, rows: int) -> None:
    with pytest.raises(ConfigError, match=f"rows = {rows}: expected an even number, 32 to 256"):
        write_case(tmp_path, rows, EVENING)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("time", [EVENING.replace(minute=30), EVENING.replace(tzinfo=None)])
def test_a_time_that_is_no_whole_hour_of_a_zone_is_refused(tmp_path: Path, time: datetime) -> None:
    with pytest.raises(ConfigError, match=r"time = .*: expected a whole hour with a time zone"):
        write_case(tmp_path, 64, time)


def test_a_case_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").touch()
    with pytest.raises(OutputError, match="a folder that is not empty"):
        write_case(tmp_path, 64, EVENING)
