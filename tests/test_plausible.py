"""Soil that no soil can be is refused or left out; states that really occur are not."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import FEW, demo, images, run, settings_file, unpacked
from launch import imgda, read, restart_files
from mpi4py import MPI

from imgda_mpi.colm.plausible import check_aquifer, check_soil
from imgda_mpi.colm.soil_layers import DENSITY_ICE, DENSITY_LIQUID, thickness
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.faults import InputError
from imgda_mpi.model.restart import Restart, open_restart

SELF = MPI.COMM_SELF
STATE, CONST = Path("state"), Path("const")
BLOCK = "restart/2022-153-21600/demo_restart_2022-153-21600_lc2005_e000_n00.nc"
CONSTANTS = "restart/const/demo_restart_const_lc2005_e000_n00.nc"


def columns() -> SoilColumns:
    """Three patches, the last of which is no soil."""
    full = np.ones((3, 10))
    return SoilColumns(
        liquid=0.2 * DENSITY_LIQUID * thickness * full,
        ice=0.0 * full,
        temperature=285.0 * full,
        porosity=0.4 * full,
        residual=0.05 * full,
        is_soil=np.array([True, True, False]),
    )


def checked(soil: SoilColumns, implausible: str = "stop") -> SoilColumns:
    return check_soil(soil, lambda n: (STATE, n), lambda n: (CONST, n), SELF, implausible)


def put(name: str, value: float, patch: int = 1, layer: int = 9) -> SoilColumns:
    soil = columns()
    getattr(soil, name)[patch, layer] = value
    return soil


def mass(volume: float, density: float = DENSITY_LIQUID, layer: int = 9) -> float:
    return float(volume * density * thickness[layer])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("liquid", -0.1),
        ("liquid", 0.0),
        ("liquid", mass(0.8)),
        ("ice", -0.1),
        ("ice", mass(0.6 - 1e-12, DENSITY_ICE)),  # 1.5 and 0.5 times the pore space
        ("temperature", 150.0),
        ("temperature", 400.0),
        ("porosity", 1.0),
        ("residual", 0.0),
        ("residual", 0.3999),
    ],
)
def test_the_limits_themselves_pass(name: str, value: float) -> None:
    assert checked(put(name, value)).is_soil.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("name", "value", "file", "variable", "expected"),
    [
        (
            "liquid",
            -0.1001,
            STATE,
            "wliq_soisno",
            "-0.1 to 909.577 kg m-2, 2 times the pore space, on every soil patch",
        ),
        ("liquid", mass(0.8001), STATE, "wliq_soisno", "-0.1 to 909.577 kg m-2"),
        ("liquid", 1e20, STATE, "wliq_soisno", "-0.1 to 909.577 kg m-2"),
        ("liquid", -9999.0, STATE, "wliq_soisno", "-0.1 to 909.577 kg m-2"),
        ("liquid", -1e36, STATE, "wliq_soisno", "-0.1 to 909.577 kg m-2"),
        ("liquid", np.nan, STATE, "wliq_soisno", "-0.1 to 909.577 kg m-2"),
        ("ice", -0.1001, STATE, "wice_soisno", "-0.1 to 834.083 kg m-2"),
        ("ice", 1e4, STATE, "wice_soisno", "-0.1 to 834.083 kg m-2"),
        ("ice", np.inf, STATE, "wice_soisno", "-0.1 to 834.083 kg m-2"),
        (
            "ice",
            mass(0.61, DENSITY_ICE),
            STATE,
            "wliq_soisno + wice_soisno",
            "at most 0.8 m3 m-3, 2 times the pore space",
        ),
        ("temperature", 0.0, STATE, "t_soisno", "150 to 400 K on every soil patch"),
        ("temperature", 12.0, STATE, "t_soisno", "150 to 400 K"),  # in Celsius
        ("temperature", 400.001, STATE, "t_soisno", "150 to 400 K"),
        ("temperature", np.nan, STATE, "t_soisno", "150 to 400 K"),
        ("porosity", 0.0, CONST, "porsl", "m3 m-3 above 0, at most 1"),
        ("porosity", 40.0, CONST, "porsl", "m3 m-3 above 0, at most 1"),
        ("porosity", -1e36, CONST, "porsl", "m3 m-3 above 0, at most 1"),
        ("porosity", 1e308, CONST, "porsl", "m3 m-3 above 0, at most 1"),
        ("residual", -1e-9, CONST, "theta_r", "m3 m-3 from 0 to below the porosity (0.4)"),
        ("residual", 0.4, CONST, "theta_r", "m3 m-3 from 0 to below the porosity (0.4)"),
        ("residual", np.nan, CONST, "theta_r", "m3 m-3 from 0 to below the porosity (0.4)"),
    ],
)
def test_beyond_them_file_variable_place_and_value_are_named(
    name: str, value: float, file: Path, variable: str, expected: str
) -> None:
    soil = put(name, value)
    with pytest.raises(InputError) as caught:
        checked(soil)
    said = str(caught.value)
    assert said.startswith(f"{file}: {variable}: found ")
    assert f" in soil layer 10 of patch 1 (1 of 2 soil patches hold what no soil can), expected {expected}" in said
    assert 'leave such patches out with implausible = "leave_out"' in said
    assert checked(soil, "leave_out").is_soil.tolist() == [True, False, False]
    checked(put(name, value, patch=2))  # no soil


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_columns_without_water_are_none(factor: float) -> None:
    soil = columns()
    soil.liquid[1] *= factor
    soil.ice[1] *= factor
    with pytest.raises(InputError, match=r"wliq_soisno \+ wice_soisno: .* expected at least 0.01 of the pore space"):
        checked(soil)
    assert checked(soil, "leave_out").is_soil.tolist() == [True, False, False]


def test_where_no_soil_is_left_it_is_refused() -> None:
    soil = columns()
    soil.temperature[:] -= 273.16
    with pytest.raises(InputError, match=r"t_soisno: found 11.84 in soil layer 1 of patch 0 \(2 of 2 soil patches "):
        checked(soil, "leave_out")


def test_an_aquifer_store_of_kilometres_is_none() -> None:
    check_aquifer(columns(), np.array([-500.0, 4900.0, -1e36]), "state", MPI.COMM_SELF)
    with pytest.raises(InputError, match="state: wa: found no value on 1 soil patches"):
        check_aquifer(columns(), np.array([0.0, 1e20, 0.0]), "state", MPI.COMM_SELF)


def real_sets(shared: Path, tmp_path: Path) -> Iterator[Restart]:
    """Every restart that the real model wrote."""
    for case, time in (("EA14", (6, 4)), ("EA14", (1, 16)), ("GL14", (6, 4))):
        folder = shared / "colm" / "colm202x" / case
        instant = datetime(2022, *time, tzinfo=UTC)
        yield open_restart("colm202x", SELF, directory=folder, case=case, time=instant, land_cover_year=2005)
    sample, instant = shared / "colm" / "colm202x" / "pc_sample", datetime(2022, 6, 2, tzinfo=UTC)
    yield open_restart(
        "colm202x", SELF, directory=plant_community(sample, tmp_path), case="RPC", time=instant, land_cover_year=2005
    )
    for site, prefix in (("EAS", "EAS"), ("global", "CTL")):
        folder = shared / "colm" / "colm2014" / site
        const = unpacked(folder / f"{prefix}-rstTimeConst.xz", tmp_path / site)
        for number, state in enumerate(sorted(folder.rglob("*-rstTimeVar-*.xz"))):
            file = unpacked(state, tmp_path / f"{site}{number}")
            yield open_restart(
                "colm2014", SELF, restart_file=file, const_file=const, time=datetime(2022, 6, 4, tzinfo=UTC)
            )


def plant_community(sample: Path, tmp_path: Path) -> Path:
    """The one block of the plant community build as a case."""
    case = tmp_path / "RPC"
    for part, folder in (
        ("_restart_*2022", "restart/2022-153-00000"),
        ("_restart_*const", "restart/const"),
        ("landp*_", "landdata/landpatch/2005"),
        ("patchfrac", "landdata/landpatch/2005"),
    ):
        (case / folder).mkdir(parents=True, exist_ok=True)
        for path in sample.glob(f"*{part}*.nc"):
            shutil.copyfile(path, case / folder / path.name)
    mesh = sample.parent / "EA14" / "landdata" / "mesh" / "2005" / "mesh.nc"
    (case / "landdata" / "mesh" / "2005").mkdir(parents=True)
    shutil.copyfile(mesh, case / "landdata" / "mesh" / "2005" / "mesh.nc")
    return case


def test_every_restart_of_the_real_model_passes_and_so_do_its_wettest_frozen_tops(shared: Path, tmp_path: Path) -> None:
    seen = 0
    for restart in real_sets(shared, tmp_path):
        soil, _ = restart.read_soil()
        restart.check_copied()
        assert np.array_equal(soil.is_soil, restart.patches.is_soil)
        # The model leaves up to 1.45 times the pore space where a wet top freezes.
        soil = SoilColumns(**{name: np.array(getattr(soil, name)) for name in vars(soil)})
        soil.ice[:, 0] = 1.45 * soil.porosity[:, 0] * DENSITY_ICE * thickness[0]
        soil.liquid[:, 0] = 0.0
        assert np.array_equal(checked(soil).is_soil, soil.is_soil)
        seen += 1
    assert seen == 12


def spoil(case: Path, file: str, variable: str, value: float, layer: int, which: int = 0) -> int:
    """Put a value into a layer of one of the soil patches of a block; its number."""
    patch = int(np.flatnonzero(read(case / CONSTANTS, "patchtype") == 0)[which])
    with netCDF4.Dataset(case / file, "r+") as dataset:
        dataset[variable][patch, layer] = value
    return patch


@pytest.fixture
def case(example: Path, tmp_path: Path) -> Path:
    """A copy of the embedded model case that a test may damage."""
    return Path(shutil.copytree(example / "model" / "demo", tmp_path / "demo"))


def of(case: Path, example_case: Path, after: str = "", before: str = FEW) -> str:
    return demo(example_case, before=before, after=after).replace(
        str(example_case.parent / "model" / "demo"), str(case), 1
    )


def test_patches_that_are_left_out_change_no_other_and_keep_every_bit(
    case: Path, example_case: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = '[soil]\nimplausible = "leave_out"\ncompensate = "aquifer"\n'
    sound = images(run(tmp_path, of(case, example_case, settings), "sound"))
    assert "left out" not in caplog.text
    damaged = [
        spoil(case, BLOCK, "wliq_soisno", np.nan, 14, 0),
        spoil(case, BLOCK, "wice_soisno", np.inf, 5, 100),
        spoil(case, BLOCK, "wliq_soisno", 1e20, 6, 200),
        spoil(case, CONSTANTS, "porsl", -1e36, 3, 300),
    ]
    with caplog.at_level(logging.WARNING):
        alone = run(tmp_path, of(case, example_case, settings), "alone")
    (warning,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert re.match(r"4 of \d+ soil patches are left out of the analysis; the first is in ", warning)
    assert f"{case / CONSTANTS}: porsl: found -1e+36 in soil layer 4 of patch {damaged[3]}, expected" in warning
    together = run(tmp_path, of(case, example_case, settings), "together", ranks=2)
    for output in (alone, together):
        written = restart_files(output)[BLOCK]
        for name in ("wliq_soisno", "wa"):
            assert read(written, name)[damaged].tobytes() == read(case / BLOCK, name)[damaged].tobytes()
    with netCDF4.Dataset(alone / "diagnostics.nc") as saved:
        counts = dict(zip(saved["update_reason"][:], saved["patch_count"][:], strict=True))
        assert counts["left_out"] == 4
        assert saved["patch_left_out"][:].sum() == 4
        cells = np.unique(saved["patch_cell"][:][saved["patch_left_out"][:] > 0])
        assert saved.water_ledger_residual < 1e-9
    # The cells of the four have the mean of their other patches, or no value.
    seen, again = images(alone), images(together)
    assert set(np.flatnonzero(~np.isclose(seen["background"], sound["background"], 0, 0, equal_nan=True))) == set(cells)
    assert np.isfinite(seen["analysis"][np.isfinite(seen["background"])]).all()
    for name in seen:
        assert seen[name].tobytes() == again[name].tobytes()


@pytest.mark.parametrize("implausible", ["stop", "leave_out"])
def test_members_are_held_to_the_same_rule(
    implausible: str, case: Path, example: Path, example_case: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(example / "model" / "demo", tmp_path / "other"))
    for path in sorted((other / "restart" / "2022-153-21600").iterdir()):
        with netCDF4.Dataset(path, "r+") as file:
            file["wliq_soisno"][:, 5:9] = 0.9 * file["wliq_soisno"][:, 5:9]
    # A patch in a cell with other soil patches.
    element = read(case / "landdata/landpatch/2005/landpatch_e000_n00.nc", "eindex")
    soil = np.flatnonzero(read(case / CONSTANTS, "patchtype") == 0)
    which = int(np.flatnonzero(np.diff(element[soil]) == 0)[0])
    patch = spoil(other, BLOCK, "t_soisno", 15.0, 5, which)
    after = (
        f'[ensemble]\nkind = "restarts"\ndirectories = ["{example / "model" / "demo"}", "{other}"]\n'
        f'[soil]\nimplausible = "{implausible}"\n'
    )
    text = of(case, example_case, after, 'method = "letkf"')
    done = imgda("analyse", settings_file(tmp_path, text, "members"), ranks=2)
    if implausible == "stop":
        assert done.returncode == 2, done.stderr
        assert f"{other / BLOCK}: t_soisno: found 15 in soil layer 1 of patch {patch} (1 of " in done.stderr
        assert "(see [ensemble], [soil])" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert f"soil patches are left out of the analysis; the first is in {other / BLOCK}: t_soisno" in done.stderr
