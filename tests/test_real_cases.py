"""Analyses of restarts that the real model wrote, with real observations."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray
from cases import images, run, unpacked
from launch import read, restart_files

from imgda_mpi.verify.scores import scores


def gfs(shared: Path) -> str:
    return f"""[observation]
kind = "cf"
file = "{shared}/data/background/gfs_noah_20111011T00.nc"
variable = "soil_moisture"
layer = [0.0, 0.1]
time = 2011-10-11T00:00:00Z
"""


def gldas(shared: Path) -> str:
    return f"""[observation]
kind = "gldas"
file = "{shared}/data/gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"
time = 2016-01-01T06:00:00Z
"""


def colm202x(directory: Path, case: str, time: str) -> str:
    return f'[model]\nkind = "colm202x"\ndirectory = "{directory}"\ncase = "{case}"\ntime = {time}\n'


def colm2014(state: Path, const: Path) -> str:
    return (
        f'[model]\nkind = "colm2014"\nrestart_file = "{state}"\nconst_file = "{const}"\ntime = 2022-06-04T00:00:00Z\n'
    )


def check_global_scores(inserted: Path, analysed: Path) -> None:
    """What an independent estimate of this experiment gave, within its rounding."""
    seen = images(analysed)
    np.testing.assert_array_equal(seen["background"], images(inserted)["analysis"])
    before, after = (scores(seen[name], seen["observation"]) for name in ("background", "analysis"))
    assert 0.40 < before.scc < 0.46
    assert 0.104 < before.ubrmse < 0.110
    assert 0.945 < after.scc < 0.97
    assert 0.032 < after.ubrmse < 0.037


def test_the_papers_experiment_on_the_global_colm202x_restart(shared: Path, tmp_path: Path) -> None:
    original = shared / "colm" / "colm202x" / "GL14"
    inserted = run(
        tmp_path, 'method = "insert"\n' + colm202x(original, "GL14", "2022-06-04T00:00:00Z") + gfs(shared), "insert"
    )
    with xarray.open_dataset(inserted / "diagnostics.nc") as saved:
        cells = saved.cell_count
        assert 70 < int(cells.sel(update_reason="refused")) < 110
        assert 0 < int(cells.sel(update_reason="frozen_layer")) <= 158
    case = tmp_path / "case"
    (case / "restart").mkdir(parents=True)
    (case / "landdata").symlink_to(original / "landdata")
    (case / "restart" / "const").symlink_to(original / "restart" / "const")
    shutil.copytree(inserted / "restart" / "2022-155-00000", case / "restart" / "2022-155-00000")
    analysed = run(tmp_path, colm202x(case, "GL14", "2022-06-04T00:00:00Z") + gldas(shared), ranks=2)
    check_global_scores(inserted, analysed)
    assert scores(*(images(analysed)[name] for name in ("background", "observation"))).n_cells == 7467


def test_the_papers_experiment_on_the_global_colm2014_restart(shared: Path, tmp_path: Path) -> None:
    packed = shared / "colm" / "colm2014" / "global"
    const = unpacked(packed / "CTL-rstTimeConst.xz", tmp_path / "case")
    state = unpacked(packed / "CTL-rstTimeVar-2022-155-00000.xz", tmp_path / "case")
    inserted = run(tmp_path, 'method = "insert"\n' + colm2014(state, const) + gfs(shared), "insert")
    background = inserted / "restart" / state.name
    analysed = run(tmp_path, colm2014(background, const) + gldas(shared), ranks=2)
    check_global_scores(inserted, analysed)
    # 128 reals a patch after a marker and three integers: only wliq_soisno (reals 25 to 39) may differ.
    before, after = (
        np.frombuffer(path.read_bytes()[16:-4]) for path in (background, analysed / "restart" / state.name)
    )
    assert before.size == 128 * 16094
    changed = np.flatnonzero(before != after)
    assert changed.min() >= 25 * 16094
    assert changed.max() < 40 * 16094
    assert ((changed - 25 * 16094) % 15 >= 5).all()


@pytest.mark.parametrize("time", ["2022-06-04", "2022-01-16"])
def test_a_regional_restart_keeps_frozen_ground_snow_and_other_types(shared: Path, tmp_path: Path, time: str) -> None:
    original = shared / "colm" / "colm202x" / "EA14"
    output = run(tmp_path, colm202x(original, "EA14", f"{time}T00:00:00Z") + gldas(shared), ranks=2)
    changed = 0
    for name, path in restart_files(output).items():
        before, after = read(original / name, "wliq_soisno"), read(path, "wliq_soisno")
        ice, temperature = read(path, "wice_soisno"), read(path, "t_soisno")
        kind = read(original / "restart" / "const" / Path(name).name.replace(path.parent.name, "const"), "patchtype")
        frozen = (ice > 0) | (temperature < 273.16)
        frozen[:, :5] = True  # snow
        assert (after[frozen] == before[frozen]).all()
        assert (after[kind != 0] == before[kind != 0]).all()
        assert (after[:, 9:] == before[:, 9:]).all()
        changed += int((after != before).any(axis=1).sum())
    assert changed > 100
    with xarray.open_dataset(output / "diagnostics.nc") as saved:
        assert saved.attrs["water_ledger_residual"] < 1e-9
        assert (int(saved.patch_count.sel(update_reason="frozen_layer")) > 0) == (time == "2022-01-16")


def test_the_aquifer_of_the_variably_saturated_scheme_stays_a_deficit(
    shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    original = shared / "colm" / "colm202x" / "EA14"
    text = colm202x(original, "EA14", "2022-06-04T00:00:00Z") + gldas(shared) + '[soil]\ncompensate = "aquifer"\n'
    output = run(tmp_path, text)
    before, after = (
        np.concatenate([read(folder / name, "wa") for name in restart_files(output)]) for folder in (original, output)
    )
    assert (before <= 0).all()
    assert (after <= 0).all()
    assert (after < before).sum() > 50
    with xarray.open_dataset(output / "diagnostics.nc") as saved:
        full = int(saved.patch_count.sel(update_reason="aquifer_full"))
        assert full == int((saved.patch_water_unbalanced < 0).sum()) > 50
        gained = saved.patch_water_after - saved.patch_water_before
        np.testing.assert_allclose(gained + saved.patch_water_aquifer, saved.patch_water_unbalanced, rtol=0, atol=1e-9)
        lost = float(saved.patch_water_unbalanced.min())
    assert f"wa is full on {full} patches (at 0" in caplog.text
    assert f"at most {-lost:.3f} mm) of what the soil loses is not balanced" in caplog.text


@pytest.mark.restart_io
def test_the_regional_colm2014_restart(shared: Path, tmp_path: Path) -> None:
    packed = shared / "colm" / "colm2014" / "EAS"
    const = unpacked(packed / "EAS-rstTimeConst.xz", tmp_path / "case")
    state = unpacked(packed / "EAS-rstTimeVar-2022-155-00000.xz", tmp_path / "case")
    alone = run(tmp_path, colm2014(state, const) + gldas(shared), "alone")
    together = run(tmp_path, colm2014(state, const) + gldas(shared), "together", ranks=3)
    files = [output / "restart" / state.name for output in (alone, together)]
    assert files[0].read_bytes() == files[1].read_bytes() != state.read_bytes()
    with xarray.open_dataset(alone / "diagnostics.nc") as saved:
        assert saved.attrs["water_ledger_residual"] < 1e-9
