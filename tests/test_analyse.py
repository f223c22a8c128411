"""The whole command: on the embedded case, and on what the real model and real observations gave."""

from __future__ import annotations

import json
import lzma
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray
from launch import differing, imgda, python, read, restart_files, same_restart
from mpi4py import MPI

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.model.surface import open_restart
from imgda_mpi.settings.analysis import Output, Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.verify.scores import scores
from imgda_mpi.workflow.analyse import analyse

IMAGES = ("background", "observation", "innovation", "analysis", "increment", "proposed_increment")


def settings_file(folder: Path, text: str, name: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text + f'[output]\ndirectory = "{folder / name}"\n')
    return path


def run(folder: Path, text: str, name: str = "analysis", ranks: int = 0, **environment: str) -> Path:
    """Output folder of an analysis that has to succeed: in this process, or with ``ranks`` as a command of its own."""
    path = settings_file(folder, text, name)
    if ranks:
        done = imgda("analyse", path, ranks=ranks, **environment)
        assert done.returncode == 0, done.stderr
        return folder / name
    return analyse(read_settings(path, Settings), MPI.COMM_SELF).directory


def demo(example_case: Path, *, before: str = "", after: str = "") -> str:
    """Settings of the embedded case with absolute paths, without its output section."""
    text = example_case.read_text()
    text = text[: text.index("[output]")]
    for path in ("model/demo", "observation/GLDAS"):
        text = text.replace(f'"{path}', f'"{example_case.parent / path}')
    return text.replace('method = "paper"', before or 'method = "paper"') + after


# What tells of the run in the diagnostics; with its dimension.
OF_THE_RUN = {"stage_time", "peak_memory", "exchange_bytes", "exchange_messages", "rank", "/n_ranks", "/settings"}

FEW = 'method = {kind = "paper", n_members = 5}'


def images(output: Path) -> dict[str, np.ndarray]:
    return {name: read(output / "diagnostics.nc", name) for name in IMAGES}


def test_a_loop_keeps_its_transform_and_its_restart(example_case: Path, tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, demo(example_case, before=FEW), "first"), Settings)
    first = analyse(settings, MPI.COMM_SELF)
    restart = open_restart(settings.model.kind, MPI.COMM_SELF, **settings.model.values())
    transform = make_transform(TransformKind(**settings.curvelet.values()), restart.patches.grid.transform_shape(), MPI.COMM_SELF)
    kept = {"transform": transform, "restart": restart}
    again = settings.model_copy(update={"output": Output(directory=tmp_path / "again")})
    second = analyse(again, MPI.COMM_SELF, **kept)
    assert same_restart(first.directory, second.directory)
    assert second.files == [path for path in restart_files(tmp_path / "again").values() if path in second.files]
    assert len(second.files) > 1
    assert first.scores == second.scores
    assert second.scores[1].ubrmse < second.scores[0].ubrmse
    later = settings.model.model_copy(update={"time": settings.model.time + timedelta(hours=6)})
    with pytest.raises(ValueError, match="a restart of 2022-06-02 06:00"):
        analyse(again.model_copy(update={"model": later}), MPI.COMM_SELF, **kept)
    with pytest.raises(ValueError, match=r"a transform of other settings or shape than \(128, 256\)"):
        analyse(again, MPI.COMM_SELF, transform=CurveletTransform((128, 256), n_scales=3))


def test_any_number_of_ranks_writes_the_same_bits(example_case: Path, tmp_path: Path) -> None:
    alone = run(tmp_path, demo(example_case, before=FEW), "alone")
    for ranks in (1, 2, 3, 4, 7):
        together = run(tmp_path, demo(example_case, before=FEW), f"on{ranks}", ranks=ranks)
        assert same_restart(alone, together), f"{ranks} ranks"
        assert differing(alone / "diagnostics.nc", together / "diagnostics.nc") <= OF_THE_RUN, f"{ranks} ranks"


def test_more_ranks_than_members_write_the_same_bits(example_case: Path, tmp_path: Path) -> None:
    # Three members of each kind and seven ranks: one is left without a member.
    text = demo(example_case, before='method = {kind = "paper", n_members = 3}')
    alone = run(tmp_path, text, "alone")
    for ranks in (4, 7):
        assert same_restart(alone, run(tmp_path, text, f"on{ranks}", ranks=ranks))


def test_an_h5py_without_mpi_writes_the_same_bits(example_case: Path, tmp_path: Path) -> None:
    other = Path(sys.prefix) / "serial-h5py"
    if not other.is_dir():
        pytest.skip(f"needs a second h5py, without MPI, in {other}")
    text = demo(example_case, before=FEW)
    here = run(tmp_path, text, "here", ranks=3)
    there = run(tmp_path, text, "there", ranks=3, PYTHONPATH=str(other))
    assert "with MPI" not in json.loads((there / "manifest.json").read_text())["versions"]["hdf5"]
    assert same_restart(here, there)


def test_the_seed_decides(example_case: Path, tmp_path: Path) -> None:
    first = run(tmp_path, demo(example_case, before=FEW), "first")
    again = run(tmp_path, demo(example_case, before=FEW), "again")
    other = run(tmp_path, demo(example_case, before=FEW, after="[errors]\nseed = 1\n"), "other")
    assert same_restart(first, again)
    assert not same_restart(first, other)


@pytest.mark.restart_io
def test_method_none_writes_every_byte_of_the_background(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before='method = "none"'), ranks=2)
    originals = example_case.parent / "model" / "demo"
    for name, path in restart_files(output).items():
        assert path.read_bytes() == (originals / name).read_bytes()


def test_the_embedded_case_comes_nearer_to_the_withheld_truth(example_case: Path, tmp_path: Path) -> None:
    seen = images(run(tmp_path, demo(example_case)))
    truth = read(example_case.parent / "truth.nc", "soil_moisture")
    before, after = scores(seen["background"], truth), scores(seen["analysis"], truth)
    assert after.scc > before.scc + 0.3
    assert after.ubrmse < 0.6 * before.ubrmse


def test_pointwise_is_its_closed_form_where_nothing_was_refused(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before='method = "pointwise"'))
    seen, free = images(output), free_cells(output)
    expected = seen["background"] + 0.15**2 / (0.15**2 + 0.10**2) * seen["innovation"]
    assert free.sum() > 5000
    np.testing.assert_allclose(seen["analysis"][free], expected[free], atol=1e-12)


def test_insert_puts_the_observation_into_the_restart(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before='method = "insert"'))
    seen, free = images(output), free_cells(output)
    np.testing.assert_allclose(seen["analysis"][free], seen["observation"][free], atol=1e-12)


def free_cells(output: Path) -> np.ndarray:
    """Observed cells in which no patch is frozen or was refused water."""
    seen = images(output)
    free = np.isfinite(seen["innovation"])
    cell = read(output / "diagnostics.nc", "patch_cell")
    for flag in ("frozen_layer", "refused"):
        free.ravel()[cell[read(output / "diagnostics.nc", f"patch_{flag}") > 0]] = False
    return free


def test_the_analysed_restart_gives_the_analysed_image_again(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before=FEW))
    seen, free = images(output), free_cells(output)
    np.testing.assert_allclose(
        seen["analysis"][free], (seen["background"] + seen["proposed_increment"])[free], atol=1e-12
    )
    # A second run reads what the first has written.
    case = tmp_path / "next"
    shutil.copytree(example_case.parent / "model" / "demo", case)
    shutil.copytree(output / "restart", case / "restart", dirs_exist_ok=True)
    text = demo(example_case, before='method = "none"').replace(str(example_case.parent / "model" / "demo"), str(case))
    again = run(tmp_path, text, "again")
    np.testing.assert_array_equal(images(again)["background"], seen["analysis"])


def test_unobserved_land_keeps_its_water(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before=FEW))
    seen = images(output)
    unseen = np.isfinite(seen["background"]) & ~np.isfinite(seen["innovation"])
    assert unseen.sum() > 0
    assert (seen["increment"][unseen] == 0).all()


@pytest.mark.restart_io
@pytest.mark.parametrize("compensate", ["none", "aquifer"])
def test_the_water_ledger_closes_on_the_files(example_case: Path, tmp_path: Path, compensate: str) -> None:
    output = run(tmp_path, demo(example_case, before=FEW, after=f'[soil]\ncompensate = "{compensate}"\n'), ranks=2)
    diagnostics = output / "diagnostics.nc"
    term = {name: read(diagnostics, f"patch_water_{name}") for name in
            ("before", "requested", "frozen", "clamped", "after", "aquifer")}  # fmt: skip
    originals = example_case.parent / "model" / "demo"
    before, after, aquifer = [], [], []
    for name, path in restart_files(output).items():
        before.append(sum(read(originals / name, v)[:, 5:].sum(axis=1) for v in ("wliq_soisno", "wice_soisno")))
        after.append(sum(read(path, v)[:, 5:].sum(axis=1) for v in ("wliq_soisno", "wice_soisno")))
        aquifer.append(read(path, "wa") - read(originals / name, "wa"))
    gained = np.concatenate(after) - np.concatenate(before)
    np.testing.assert_allclose(term["before"], np.concatenate(before), atol=1e-9)
    np.testing.assert_allclose(term["after"], np.concatenate(after), atol=1e-9)
    np.testing.assert_allclose(gained, term["requested"] - term["frozen"] - term["clamped"], atol=1e-9)
    np.testing.assert_allclose(np.concatenate(aquifer), -gained if compensate == "aquifer" else 0.0, atol=1e-9)
    assert np.abs(gained).max() > 1.0


def test_a_uniform_field_of_standard_deviations_is_the_number(example_case: Path, tmp_path: Path) -> None:
    truth = xarray.open_dataset(example_case.parent / "truth.nc")
    field = xarray.full_like(truth.soil_moisture, 0.15).rename("sb")
    field.attrs = {"units": "m3 m-3"}
    field.to_netcdf(tmp_path / "sb.nc")
    number = run(tmp_path, demo(example_case, before=FEW), "number")
    field_file = f'{{file = "{tmp_path}/sb.nc", variable = "sb"}}'
    method = f'method = {{kind = "paper", n_members = 5, background_error = {field_file}}}'
    text = demo(example_case, before=method)
    assert same_restart(number, run(tmp_path, text, "field"))


def test_the_diagnostics_open_in_xarray(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before=FEW), ranks=2)
    with xarray.open_dataset(output / "diagnostics.nc") as saved:
        assert saved.analysis.units == "m3 m-3"
        assert saved.stage_time.dims == ("rank", "stage")
        assert saved.sizes["rank"] == 2
        assert float(saved.gain_mean.min()) > 0.3
        assert int(saved.pixel_count.sel(pixel_reason="source pixels")) == 600 * 1440
        assert saved.attrs["water_ledger_residual"] < 1e-9


def test_the_diagnostics_can_be_opened_again_in_the_same_process(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before='method = "pointwise"'))
    again = "import netCDF4, sys\nfor _ in range(5):\n    print(netCDF4.Dataset(sys.argv[1])['update_reason'][0])"
    done = python("-c", again, str(output / "diagnostics.nc"))
    assert done.returncode == 0, "the library crashed"
    assert done.stdout.split() == ["frozen_layer"] * 5


def test_the_manifest_has_checksums_settings_and_versions(example_case: Path, tmp_path: Path) -> None:
    import hashlib

    output = run(tmp_path, demo(example_case, before=FEW), ranks=3)
    manifest = json.loads((output / "manifest.json").read_text())
    assert {entry["file"] for entry in manifest["outputs"]} == {*restart_files(output), "diagnostics.nc"}
    for entry in manifest["outputs"]:
        assert hashlib.sha256((output / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    for entry in manifest["inputs"]:
        assert hashlib.sha256(Path(entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert any("GLDAS" in entry["file"] for entry in manifest["inputs"])
    assert manifest["settings"]["method"]["n_members"] == 5
    assert manifest["ranks"] == 3


def test_check_finds_what_analyse_finds_and_writes_nothing(example_case: Path, tmp_path: Path) -> None:
    done = imgda("check", settings_file(tmp_path, demo(example_case), "analysis"))
    assert done.returncode == 0, done.stderr
    assert "nothing stands in the way" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["analysis.toml"]


# --- Restarts of the real model, real observations ------------------------------------------------------------------


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


def unpacked(packed: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    target = folder / packed.name.removesuffix(".xz")
    target.write_bytes(lzma.decompress(packed.read_bytes()))
    return target


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


def column_water(path: Path) -> np.ndarray:
    return read(path, "wliq_soisno")


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
