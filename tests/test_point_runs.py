"""Analyses, comparisons and runs of cycles with points as observations."""

from __future__ import annotations

import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import GLDAS, demo, images, run, settings_file
from cycles import SIX, setup2014
from launch import imgda, read, same_restart
from mpi4py import MPI
from point_lists import write_points

from imgda_mpi.grid import Grid
from imgda_mpi.observations.binning import binning
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.check_cycle import check_cycle

POINTWISE = 'method = "pointwise"'
STATES = Path("restart/2022-153-21600")


@pytest.fixture(scope="module")
def pixels(example: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moisture, latitude and longitude of the valid pixels of the embedded case's observation."""
    with netCDF4.Dataset(example / GLDAS) as file:
        mass = file["SoilMoi0_10cm_inst"][0]
        latitude, longitude = np.meshgrid(file["lat"][:], file["lon"][:], indexing="ij")
    valid = ~np.ma.getmaskarray(mass)
    return mass.data[valid] / 100.0, latitude[valid], longitude[valid]


def with_points(case: Path, file: Path) -> str:
    """Settings of the embedded case with other observations."""
    text = demo(case, before=POINTWISE)
    lines = [line for line in text.splitlines() if not line.startswith(('kind = "gldas"', "file = "))]
    place = next(number for number, line in enumerate(lines) if line.startswith("[observation]"))
    lines[place + 1 : place + 1] = ['kind = "points"', f'file = "{file}"', 'variable = "sm"', "max_time_offset = inf"]
    return "\n".join(lines) + "\n"


def test_points_are_assimilated_on_any_number_of_ranks_and_once_alone(
    example_case: Path, pixels: tuple[np.ndarray, ...], tmp_path: Path
) -> None:
    path = write_points(tmp_path / "points.nc", *pixels, units="m3 m-3")
    output = run(tmp_path, with_points(example_case, path), "alone")
    seen = images(output)
    grid = Grid(*(read(output / "diagnostics.nc", name) for name in ("lat", "lon")))
    valid = (pixels[0] >= -0.3) & (pixels[0] <= 0.9)
    expected = binning(pixels[1][valid], pixels[2][valid], grid)(pixels[0][valid])
    np.testing.assert_allclose(seen["observation"], expected, rtol=1e-12)
    observed = np.isfinite(seen["increment"]) & np.isfinite(seen["innovation"])
    changed = np.abs(seen["increment"][observed]) > 0
    assert changed.sum() > 1000
    assert (np.sign(seen["increment"][observed]) == np.sign(seen["innovation"][observed]))[changed].all()
    together = run(tmp_path, with_points(example_case, path), "together", ranks=2)
    assert same_restart(output, together)
    # The same points in another order, into the restart that holds them.
    case = Path(shutil.copytree(example_case.parent, tmp_path / "case"))
    shutil.copytree(output / STATES, case / "model/demo" / STATES, dirs_exist_ok=True)
    turned = write_points(tmp_path / "turned.nc", *(part[::-1] for part in pixels), units="m3 m-3")
    done = imgda("check", settings_file(tmp_path, with_points(case / "case.toml", turned), "again"))
    assert done.returncode == 2
    assert "assimilated already" in done.stderr


def test_an_analysis_without_a_point_over_land_stops_for_the_observation(example_case: Path, tmp_path: Path) -> None:
    path = write_points(tmp_path / "none.nc", np.empty(0), np.empty(0), np.empty(0), units="m3 m-3")
    settings = settings_file(tmp_path, with_points(example_case, path), "none")
    done = imgda("analyse", settings)
    assert done.returncode == 5
    assert "found no valid pixel over land (0 pixels: 0 missing, " in done.stderr
    settings.write_text(settings.read_text().replace('variable = "sm"', 'variable = "sm"\nallow_empty = true'))
    assert imgda("analyse", settings).returncode == 0


def test_points_are_the_truth_of_a_comparison(example: Path, pixels: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    path = write_points(tmp_path / "points.nc", *pixels, units="m3 m-3")
    settings = tmp_path / "comparison.toml"
    settings.write_text(
        'methods = ["none", "pointwise"]\nnoise = 0.04\nseeds = 1\ntime = 2022-06-02T06:00:00Z\ngrid = [64, 128]\n'
        f'[background]\nkind = "cf"\nfile = "{example / "truth.nc"}"\nvariable = "soil_moisture"\n'
        f'max_time_offset = inf\n[truth]\nkind = "points"\nfile = "{path}"\nvariable = "sm"\nmax_time_offset = inf\n'
        f'valid_range = [-0.5, 1.0]\n[output]\ndirectory = "{tmp_path / "comparison"}"\n'
    )
    done = imgda("compare", settings)
    assert done.returncode == 0, done.stderr
    assert f"truth: {path}: sm at 2022-06-02 06:00 UTC (stated, the file has none)" in done.stderr


def test_a_run_of_cycles_takes_points(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    setup = setup2014(tmp_path, 2)
    for number in range(2):
        image = setup.image(setup.case.start + number * SIX)
        with netCDF4.Dataset(image) as file:
            values, units = file["sm"][0].ravel(), file["time"].units
            places = np.meshgrid(file["lat"][:], file["lon"][:], indexing="ij")
        time = {"time": (np.array(0.0), {"units": units})}
        write_points(image, values, *(part.ravel() for part in places), further=time, units="m3 m-3")
    settings = setup.settings(n=2)
    settings.write_text(settings.read_text().replace('kind = "cf"', 'kind = "points"'))
    caplog.set_level("INFO", logger="imgda_mpi")
    check_cycle(read_settings(settings, CycleRun), MPI.COMM_SELF)
    assert caplog.messages[-1] == "nothing stands in the way of the run"
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
