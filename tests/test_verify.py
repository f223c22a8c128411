"""The verb `verify`: what it takes, refuses and writes."""

from __future__ import annotations

import json
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from histories import GRID, moisture
from launch import imgda
from mpi4py import MPI
from runs import RUN, START, edit, make_cycle, make_run, new_test_run

from imgda_mpi.faults import ConfigError, ImgdaError
from imgda_mpi.results.field_scores_file import read_field_scores
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.settings.file import read_settings, read_table, verb_of
from imgda_mpi.settings.verify import Verification
from imgda_mpi.verify.field_scores import SCORES
from imgda_mpi.workflow.verify import check_verification, verify

SELF = MPI.COMM_SELF

pytestmark = pytest.mark.filterwarnings("ignore:h5py is running")

SETTINGS = """\
innovations = false

[runs.control]
kind = "run"
directory = "control"

[runs.other]
kind = "run"
directory = "other"

[images.product]
kind = "cf"
file = "product.nc"
variable = "soil_moisture"

[output]
directory = "result"
"""


def write_product(path: Path, hours: list[int], *, shift: float = 0.0, units: str = "m3 m-3") -> None:
    """Images of 0-10 cm on the grid of the runs, at some hours."""
    with netCDF4.Dataset(path, "w") as file:
        for name, values, unit in (
            ("lat", GRID.latitude, "degrees_north"),
            ("lon", GRID.longitude, "degrees_east"),
            ("time", np.array(hours, float), f"hours since {START:%Y-%m-%d %H:%M}"),
        ):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = unit
        file["time"].standard_name = "time"
        variable = file.createVariable("soil_moisture", "f8", ("time", "lat", "lon"), fill_value=-9999.0)
        variable.setncatts({"units": units, "long_name": "soil moisture 0-10 cm", "cell_methods": "time: point"})
        images = np.stack([moisture(START.replace(hour=hour))[0] + shift for hour in hours])
        variable[:] = np.where(np.isnan(images), -9999.0, images)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs, an image and settings."""
    make_run(tmp_path / "control")
    make_run(tmp_path / "other")
    write_product(tmp_path / "product.nc", [0, 3, 6, 9, 12], shift=0.02)
    (tmp_path / "verify.toml").write_text(SETTINGS)
    return tmp_path


def settings_of(folder: Path, *changes: tuple[str, str]) -> Verification:
    text = SETTINGS
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "verify.toml").write_text(text)
    return read_settings(folder / "verify.toml", Verification)


def test_runs_are_scored_and_everything_is_written(folder: Path) -> None:
    text = verify(settings_of(folder), SELF)
    assert text is not None
    assert "Against product, 5 times (4 more have no image, or not all runs): other data than those assimilated" in text
    found = read_field_scores(folder / "result" / "scores_field_product.nc")
    assert found.periods == ["before", "assimilation", "forecast"]  # of the run folders
    assert found.period.tolist() == [0, 0, 1, 1, 1]
    assert list(found.regions) == ["all land", "China"]
    bias = found.scores[..., SCORES.index("bias")]
    np.testing.assert_allclose(bias[:, 1, :, 0, 0, 0], [[-0.02] * 2] * 2 + [[-0.01] * 2] + [[-0.02] * 2] * 2, atol=1e-6)
    names = {path.name for path in (folder / "result").iterdir()}
    assert names == {
        "scores_field_product.nc",
        "scores_field_product.csv",
        "scores_map_product.nc",
        "verification.txt",
        "manifest.json",
    }
    outputs = json.loads((folder / "result" / "manifest.json").read_text())["outputs"]
    assert {entry["file"] for entry in outputs} == names - {"manifest.json"}
    inputs = json.loads((folder / "result" / "manifest.json").read_text())["inputs"]
    assert [Path(entry["file"]).parent.name for entry in inputs] == ["control", "other"]


def test_a_check_finds_nothing_in_the_way_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert verb_of(read_table(folder / "verify.toml")) == "verify"
    check_verification(settings_of(folder), SELF)
    assert sorted(folder.rglob("*")) == before


def test_the_verb_gives_the_same_on_any_number_of_ranks(folder: Path) -> None:
    texts = []
    for ranks in (1, 2):
        settings_of(folder, ('"result"', f'"result{ranks}"'))
        done = imgda("verify", folder / "verify.toml", ranks=ranks)
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert texts[0] == texts[1]
    for name in ("scores_field_product.nc", "scores_map_product.nc"):
        with netCDF4.Dataset(folder / "result1" / name) as one, netCDF4.Dataset(folder / "result2" / name) as other:
            for variable in one.variables:
                np.testing.assert_array_equal(one[variable][:], other[variable][:])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([('"product.nc"', '"none.nc"')], r"none\.nc.*\(see \[images\.product\]\)"),
        (
            [('"other"\n\n[im', '"nowhere"\n\n[im')],
            r"no such folder \(runs in .*: control, other\).*\(see \[runs\.other\]\)",
        ),
        ([("innovations = false\n", 'window = "1 day"\n')], "window: needs times"),
        ([("[output]", "[periods.late]\nfirst = 2023-01-01\nlast = 2023-02-01\n\n[output]")], "date"),
        (
            [("[output]", "[periods.late]\nfirst = 2023-01-01T00:00:00Z\nlast = 2023-02-01T00:00:00Z\n\n[output]")],
            r"\[periods\.late\]: none of the times verified, 2022-06-02 00:00.*is in it",
        ),
        ([("innovations = false", "innovations = false\nboxes = {moon = [80.0, 85.0, 0.0, 10.0]}")], "boxes moon"),
        ([("innovations = false", "innovations = false\nboxes = {moon = [80.0, 70.0, 0.0, 10.0]}")], "south < north"),
        ([("[runs.other]", "[runs.'a b']")], r"\[runs\.a b\]: needs a name"),
        (
            [("[output]", '[classes]\nkind = "colm2014"\nconst_file = "none"\n\n[output]')],
            r"none: .*\(see \[classes\]\)",
        ),
        (
            [
                ('innovations = false\n\n[runs.control]\nkind = "run"\ndirectory = "control"\n', ""),
                ('[runs.other]\nkind = "run"\ndirectory = "other"\n', ""),
                ("[images.product]", "[runs.product]"),
            ],
            "nothing to verify: no ",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(folder: Path, changes: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ImgdaError, match=said):
        check_verification(settings_of(folder, *changes), SELF)


def test_runs_without_a_common_time_are_refused(folder: Path) -> None:
    late = new_test_run(folder / "late")
    make_cycle(late, SELF, begin=0, end=23, history=[1, 4, 7])
    with pytest.raises(ConfigError, match=r"found no time that all have .*control 2022-06-02 00:00"):
        check_verification(settings_of(folder, ('directory = "other"', 'directory = "late"')), SELF)


def test_runs_of_other_grids_are_refused(folder: Path) -> None:
    from imgda_mpi.grid import Grid

    odd = new_test_run(folder / "odd")
    make_cycle(odd, SELF, begin=0, end=6, grid=Grid(GRID.latitude + 0.3, GRID.longitude))
    with pytest.raises(ImgdaError, match=r"expected 6 x 8 cells from 15 N.*as of control.*\(see \[runs\.other\]\)"):
        check_verification(settings_of(folder, ('directory = "other"', 'directory = "odd"')), SELF)


def test_percent_for_volume_is_not_taken(folder: Path) -> None:
    write_product(folder / "product.nc", [0, 3], units="percent")
    with pytest.raises(ImgdaError, match=r"product\.nc"):
        verify(settings_of(folder), SELF)
    assert not (folder / "result").exists()


def test_a_window_may_begin_without_a_file(folder: Path) -> None:
    (folder / "product.nc").rename(folder / "other.nc")
    for hour in (3, 6, 9):
        write_product(folder / f"product_{hour:02}.nc", [hour])
    window = 'window = "6 h"\ntimes = [2022-06-02T00:00:00Z, 2022-06-02T06:00:00Z]\ninnovations = false'
    settings = settings_of(folder, ('"product.nc"', '"product_%H.nc"'), ("innovations = false", window))
    verify(settings, SELF)
    found = read_field_scores(folder / "result" / "scores_field_product.nc")
    assert found.times == [START, START.replace(hour=6)]


def test_what_is_stated_of_images_is_believed(folder: Path) -> None:
    assert RUN.last_analysis is not None
    text = verify(settings_of(folder, ('"soil_moisture"', '"soil_moisture"\nassimilated = true')), SELF)
    assert text is not None
    assert "fit to assimilated data" in text


def test_a_damaged_cycle_is_named(folder: Path) -> None:
    edit(open_run(folder / "other").cycles()[1], '"time"', '"tune"')
    with pytest.raises(ImgdaError, match=r"20220602T06.*cycle\.json"):
        check_verification(settings_of(folder), SELF)


def write_analysis(folder: Path, hour: int, observation: np.ndarray) -> None:
    """Diagnostics of an analysis of a run, whose background is a tenth drier."""
    cycle = next(one for one in open_run(folder).cycles() if one.record.time.hour == hour)
    with netCDF4.Dataset(cycle.directory / "analysis" / "diagnostics.nc", "w") as file:
        for name, values, unit in (
            ("lat", GRID.latitude, "degrees_north"),
            ("lon", GRID.longitude, "degrees_east"),
        ):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = unit
        for name in ("background", "observation", "analysis", "increment"):
            variable = file.createVariable(name, "f8", ("lat", "lon"), fill_value=np.nan)
            variable[:] = observation - 0.1 * (name == "background")
            variable.units = "m3 m-3"
        time = f"{cycle.record.time:%Y-%m-%dT%H:%M:%SZ}"
        file.setncatts(
            {"title": "", "method": "pointwise", "analysis_time": time, "observation_source": "elsewhere.nc"}
        )


@pytest.mark.parametrize(
    ("apart", "status"), [(0.0005, "fit to assimilated data"), (0.05, "other data than those assimilated")]
)
def test_what_was_assimilated_is_known_by_its_numbers_whatever_its_file(
    folder: Path, apart: float, status: str
) -> None:
    seen = moisture(START.replace(hour=6))[0] + 0.02
    write_analysis(folder / "other", 6, seen + apart)
    text = verify(settings_of(folder), SELF)
    assert text is not None
    assert status in text
