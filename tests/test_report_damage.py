"""Reports of runs and verifications of which something is gone or damaged: a page without it, which says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import netCDF4
import pytest
from analyses_made import write_made_run
from stations_made import made_stations

from imgda_mpi.faults import InputError, understanding
from imgda_mpi.report.material import Wanted
from imgda_mpi.results.account_file import read_account
from imgda_mpi.results.analysis_file import read_innovation
from imgda_mpi.results.station_scores_file import read_station_scores, write_station_scores
from imgda_mpi.workflow.report_material import open_material


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def diagnostics(run: Path) -> list[Path]:
    return sorted(run.glob("cycles/*/analysis/diagnostics.nc"))


def test_a_run_whose_diagnostics_are_damaged_is_reported_without_its_innovations(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 3)
    cut(diagnostics(run)[1])
    material = open_material([run], Wanted(), None)
    assert not material.innovations
    assert [str(diagnostics(run)[1]) in note for note in material.notes] == [True]
    assert material.shown is not None


def test_analyses_whose_diagnostics_are_gone_are_not_shown_and_counted(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 3)
    gone, *there = diagnostics(run)
    gone.unlink()
    material = open_material([run], Wanted(), None)
    assert [folder / "diagnostics.nc" for folder in material.runs[0].analyses] == there
    assert f"1 of 3 analyses of {run} have no diagnostics.nc." in material.notes
    assert material.shown is not None


def test_a_run_that_has_lost_all_its_diagnostics_is_no_control(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 2)
    for file in diagnostics(run):
        file.unlink()
    material = open_material([run], Wanted(), None)
    assert material.control is None
    assert material.assimilations


def test_a_run_whose_analyses_were_all_passed_over_comes_after_the_control(tmp_path: Path) -> None:
    passed, control = (write_made_run(tmp_path / name, 2, passed=(0, 1)) for name in ("passed", "control"))
    described = json.loads((passed / "run.json").read_text())
    described |= {"first_analysis": described["start"], "last_analysis": described["start"]}
    (passed / "run.json").write_text(json.dumps(described))
    material = open_material([passed, control], Wanted(), None)
    assert [ran.name for ran in material.runs] == ["control", "passed"]
    assert material.control is material.runs[0]


@pytest.fixture
def verification(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    write_station_scores(tmp_path / "scores_stations_good.nc", made_stations(tmp_path / "made"), "{}")
    (tmp_path / "verification.txt").write_text("a verification\n")
    return tmp_path


def test_a_verification_without_its_manifest_shows_its_scores(verification: Path) -> None:
    material = open_material([verification], Wanted(), None)
    assert len(material.stations) == 1
    assert not material.runs
    assert [bool(re.search(r"manifest\.json.*verify again", note)) for note in material.notes] == [True]


@pytest.mark.parametrize("name", ["scores_stations_bad.nc", "scores_field_bad.nc", "innovations.nc"])
def test_damaged_scores_leave_out_themselves_alone(verification: Path, name: str) -> None:
    (verification / name).write_bytes(b"CDF")
    material = open_material([verification], Wanted(), None)
    assert len(material.stations) == 1
    assert sum(name in note for note in material.notes) == 1


def test_scores_at_stations_without_a_variable_are_refused_by_name(verification: Path) -> None:
    path = verification / "scores_stations_good.nc"
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("depth_bounds", "other")
    with pytest.raises(InputError, match=r"scores_stations_good\.nc: .*depth_bounds.*verify again"):
        read_station_scores(path)


@pytest.mark.parametrize("name", ["gain_mean", "innovation_power_mean", "pixel_count"])
def test_an_account_without_what_pictures_need_is_refused(tmp_path: Path, name: str) -> None:
    path = diagnostics(write_made_run(tmp_path / "run", 1))[0]
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable(name, "other")
    with pytest.raises(InputError, match=name):
        read_account(path)
    if name != "pixel_count":
        with pytest.raises(InputError, match=name):
            read_innovation(path)


def test_faults_of_the_program_pass_through_what_makes_sense_of_files() -> None:
    said = r"a\.nc: found what cannot be understood \(IndexError: far\), expected b; c"
    with pytest.raises(InputError, match=said), understanding(Path("a.nc"), "b", "c"):
        raise IndexError("far")
    with pytest.raises(ZeroDivisionError), understanding(Path("a.nc"), "b", "c"):
        1 / 0  # noqa: B018


def test_scores_whose_shapes_do_not_fit_each_other_are_left_out(verification: Path) -> None:
    file = verification / "scores_stations_good.nc"
    with h5py.File(file, "r+") as scores:
        scales = [list(dimension.values()) for dimension in scores["value"].dims]
        del scores["value"]
        emptied = scores.create_dataset("value", (*(of_one[0].size for of_one in scales[:-1]), 0), "f8")
        for dimension, of_one in zip(emptied.dims, scales, strict=True):
            dimension.attach_scale(of_one[0])
    material = open_material([verification], Wanted(), None)
    assert not material.stations
    assert any("scores_stations_good.nc: found" in note and "verify again" in note for note in material.notes)
