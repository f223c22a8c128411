"""What is estimated from the innovation is not estimated from a handful of cells."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import GLDAS, demo, settings_file
from every_method import NAMES, check_method, method
from launch import imgda
from mpi4py import MPI
from problems import COMMS, GLOBE, SELF, agree

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import ConfigError
from imgda_mpi.methods.method import Method, check_enough
from imgda_mpi.methods.registry import make_method
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.check import check

BACKGROUND = "the background errors"
ESTIMATED = {
    "pointwise_fitted": "the gain",
    "innovation/diagonal": BACKGROUND,
    "innovation/full": BACKGROUND,
    "hybrid/diagonal": BACKGROUND,
    "hybrid/full": BACKGROUND,
}


def seen(n_cells: int, *, estimate_sd: bool = False) -> Observations:
    """So many observed cells."""
    observed = np.arange(np.prod(GLOBE.shape)).reshape(GLOBE.shape) < n_cells
    return Observations(np.where(observed, 0.1, 0.0), observed, 0.05, estimate_sd)


def with_keys(**keys: object) -> Method:
    section = check_method(keys)
    return make_method(section.kind, section.values(), CurveletTransform(GLOBE.shape))


@pytest.mark.parametrize("name", NAMES)
def test_methods_that_estimate_from_the_innovation_refuse_few_cells(name: str) -> None:
    made = method(name, GLOBE)
    if name not in ESTIMATED:
        check_enough(made, seen(1), False, SELF)
        return
    message = (
        f"method {made.name}: found 29 observed soil cells to estimate {ESTIMATED[name]} from, expected at least 30"
    )
    with pytest.raises(ConfigError, match=message):
        check_enough(made, seen(29), False, SELF)
    check_enough(made, seen(30), False, SELF)
    check_enough(made, seen(1), True, SELF)
    check_enough(made, seen(0), False, SELF)  # no estimate


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (with_keys(kind="ensemble", inflation="innovation"), "the inflation of the members"),
        (with_keys(kind="hybrid", inflation="innovation"), "the inflation of the members and the background errors"),
        (with_keys(kind="hybrid", innovation_weight=0), None),
        (with_keys(kind="hybrid", innovation_weight=1.0, inflation="innovation"), BACKGROUND),
    ],
)
def test_what_is_estimated_follows_from_the_keys(made: Method, what: str | None) -> None:
    if what is None:
        check_enough(made, seen(8), False, SELF)
        return
    with pytest.raises(ConfigError, match=f"found 8 observed soil cells to estimate {what} from"):
        check_enough(made, seen(8), False, SELF)


def test_an_estimate_of_the_observation_errors_is_one_too() -> None:
    with pytest.raises(ConfigError, match="found 8 observed soil cells to estimate the observation errors from"):
        check_enough(method("paper/diagonal", GLOBE), seen(8, estimate_sd=True), False, SELF)
    check_enough(method("pointwise", GLOBE), seen(8, estimate_sd=True), False, SELF)  # which estimates none


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize(("n_cells", "allowed", "n_warnings"), [(99, False, 1), (100, False, 0), (8, True, 1)])
def test_few_cells_are_warned_of_once(
    n_cells: int, allowed: bool, n_warnings: int, comm: MPI.Intracomm, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "imgda_mpi"):
        check_enough(method("innovation/full", GLOBE), seen(n_cells), allowed, comm)
    said = [record.getMessage() for record in caplog.records]
    assert agree(comm, len(said) == (n_warnings if comm.rank == 0 else 0))
    assert agree(comm, all(f"{n_cells} observed soil cells to estimate {BACKGROUND} from" in line for line in said))


@pytest.fixture
def eight_cells(example_case: Path, tmp_path: Path) -> str:
    """Settings of the embedded case with few observed cells, all wetter than the background."""
    case = Path(shutil.copytree(example_case.parent, tmp_path / "case"))
    with netCDF4.Dataset(case / GLDAS, "r+") as file:
        moisture = file["SoilMoi0_10cm_inst"]
        lat, lon = (np.asarray(file[name][:]) for name in ("lat", "lon"))
        box = (np.abs(lat - 51.0)[:, None] < 2.0) & (np.abs(lon - 30.0)[None, :] < 3.2)
        moisture[:] = np.where(box, moisture[:], -9999.0)
    return demo(case / "case.toml", before='method = "innovation/full"')


def test_check_finds_few_cells_and_a_setting_allows_them(
    eight_cells: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"method innovation/full: found (\d+) observed.*allow few \(see \[method\], \[errors\] allow_few\)",
    ):
        check(read_settings(settings_file(tmp_path, eight_cells, "refused"), Settings), SELF)
    allowed = settings_file(tmp_path, eight_cells + "[errors]\nallow_few = true\n", "allowed")
    with caplog.at_level(logging.WARNING, "imgda_mpi"):
        check(read_settings(allowed, Settings), SELF)
    assert "fewer than 100 give rough estimates" in caplog.text


def test_a_comparison_refuses_swaths_of_few_cells(example: Path, tmp_path: Path) -> None:
    image = f'kind = "cf"\nfile = "{example / "truth.nc"}"\nvariable = "soil_moisture"\nmax_time_offset = inf\n'
    text = (
        'methods = ["pointwise", "pointwise_fitted"]\ntime = 2022-06-02T06:00:00Z\ngrid = [16, 32]\nnoise = 0.05\n'
        f'[background]\n{image}[truth]\n{image}[coverage]\nkind = "swaths"\nperiod = 16\nwidth = 3\n'
    )
    done = imgda("compare", settings_file(tmp_path, text, "refused"))
    assert done.returncode == 2
    assert "method pointwise_fitted: found " in done.stderr
    assert done.stderr.rstrip().endswith("or allow few (see methods, [errors] allow_few)")
    assert imgda("compare", settings_file(tmp_path, text + "[errors]\nallow_few = true\n", "allowed")).returncode == 0
