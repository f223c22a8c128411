"""The whole command on the embedded case."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray
from cases import FEW, OF_THE_RUN, demo, images, run, settings_file
from launch import differing, imgda, python, read, restart_files, same_restart
from mpi4py import MPI

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.model.restart import open_restart
from imgda_mpi.settings.analysis import Output, Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.verify.scores import scores
from imgda_mpi.workflow.analyse import analyse


def test_a_loop_keeps_its_transform_and_its_restart(example_case: Path, tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, demo(example_case, before=FEW), "first"), Settings)
    first = analyse(settings, MPI.COMM_SELF)
    restart = open_restart(settings.model.kind, MPI.COMM_SELF, **settings.model.values())
    transform = make_transform(
        TransformKind(**settings.curvelet.values()), restart.patches.grid.transform_shape(), MPI.COMM_SELF
    )
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
    other = settings.model_copy(update={"output": Output(directory=tmp_path / "other")})
    unlike = CurveletTransform((128, 256), n_scales=3)
    made = analyse(other, MPI.COMM_SELF, transform=unlike)
    assert made.transform is not unlike
    assert same_restart(first.directory, made.directory)
    assert second.transform is transform


@pytest.fixture(scope="module")
def on3(example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What three ranks write with few members."""
    return run(tmp_path_factory.mktemp("on3"), demo(example_case, before=FEW), ranks=3)


def test_any_number_of_ranks_writes_the_same_bits(example_case: Path, on3: Path, tmp_path: Path) -> None:
    alone = run(tmp_path, demo(example_case, before=FEW), "alone")
    for together in (run(tmp_path, demo(example_case, before=FEW), "on1", ranks=1), on3):
        assert same_restart(alone, together), together
        assert differing(alone / "diagnostics.nc", together / "diagnostics.nc") <= OF_THE_RUN, together


def test_more_ranks_than_members_write_the_same_bits(example_case: Path, tmp_path: Path) -> None:
    # Three members of each kind and seven ranks: one is left without a member.
    text = demo(example_case, before='method = {kind = "paper", n_members = 3}')
    alone, together = run(tmp_path, text, "alone"), run(tmp_path, text, "on7", ranks=7)
    assert same_restart(alone, together)
    assert differing(alone / "diagnostics.nc", together / "diagnostics.nc") <= OF_THE_RUN


def test_an_h5py_without_mpi_writes_the_same_bits(example_case: Path, on3: Path, tmp_path: Path) -> None:
    other = Path(sys.prefix) / "serial-h5py"
    if not other.is_dir():
        pytest.skip(f"needs a second h5py, without MPI, in {other}")
    there = run(tmp_path, demo(example_case, before=FEW), ranks=3, PYTHONPATH=str(other))
    assert "with MPI" not in json.loads((there / "manifest.json").read_text())["versions"]["hdf5"]
    assert same_restart(on3, there)


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
            ("before", "requested", "frozen", "clamped", "after", "aquifer", "unbalanced")}  # fmt: skip
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
    balanced = term["unbalanced"] - gained if compensate == "aquifer" else 0.0
    np.testing.assert_allclose(np.concatenate(aquifer), balanced, atol=1e-9)
    np.testing.assert_allclose(term["aquifer"], np.concatenate(aquifer), atol=1e-9)
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
    assert same_restart(number, run(tmp_path, text, "field"), "/imgda_mpi_assimilated")


def test_the_diagnostics_open_in_xarray(on3: Path) -> None:
    with xarray.open_dataset(on3 / "diagnostics.nc") as saved:
        assert saved.analysis.units == "m3 m-3"
        assert saved.stage_time.dims == ("rank", "stage")
        assert saved.sizes["rank"] == 3
        assert float(saved.gain_mean.min()) > 0.3
        assert int(saved.pixel_count.sel(pixel_reason="source pixels")) == 600 * 1440
        assert saved.attrs["water_ledger_residual"] < 1e-9


def test_the_diagnostics_can_be_opened_again_in_the_same_process(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(example_case, before='method = "pointwise"'))
    again = "import netCDF4, sys\nfor _ in range(5):\n    print(netCDF4.Dataset(sys.argv[1])['update_reason'][0])"
    done = python("-c", again, str(output / "diagnostics.nc"))
    assert done.returncode == 0, "the library crashed"
    assert done.stdout.split() == ["frozen_layer"] * 5


def test_the_manifest_has_checksums_settings_and_versions(on3: Path) -> None:
    manifest = json.loads((on3 / "manifest.json").read_text())
    assert {entry["file"] for entry in manifest["outputs"]} == {*restart_files(on3), "diagnostics.nc"}
    for entry in manifest["outputs"]:
        assert hashlib.sha256((on3 / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
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
