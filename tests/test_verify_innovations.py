"""Innovation statistics of run folders."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray
from cases import demo, run
from image_files import write_grid
from innovations_made import GRID, S_B, S_O, SIX, START, make_run, pointwise, write_diagnostics
from mpi4py import MPI
from problems import COMMS, SELF, agree
from runs import shared_folder

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.results.analysis_file import SavedInnovation, read_analysis, read_innovation
from imgda_mpi.results.innovations_file import read_innovations
from imgda_mpi.settings.verify import Verification
from imgda_mpi.verify.innovation_scales import InnovationScales
from imgda_mpi.verify.innovations import STATISTICS, Images, RunInnovations
from imgda_mpi.verify.regions import ALL_LAND
from imgda_mpi.workflow.errors_used import Known, errors_used, gain_of, method_label
from imgda_mpi.workflow.verify_innovations import ALL_TIMES, Analyses, scales_of, verify_innovations
from imgda_mpi.workflow.verify_inputs import Inputs, Part

BOXES = {"west": (0.0, 90.0, 80.0, 110.0), "far": (-90.0, -60.0, 0.0, 10.0)}


def verified(
    folders: dict[str, Path],
    output: Path,
    comm: MPI.Intracomm = SELF,
    periods: dict[str, tuple[datetime, datetime]] | None = None,
) -> Part | None:
    """The part of some runs, with its files in a new folder."""
    with same_fate(comm):
        if comm.rank == 0:
            output.mkdir()
    runs = {name: {"kind": "run", "directory": str(folder)} for name, folder in folders.items()}
    settings = Verification.model_validate({"runs": runs, "output": {"directory": str(output)}})
    inputs = Inputs({}, GRID, (), None, periods or {}, BOXES, ())
    return next(iter(verify_innovations(settings, inputs, output, comm)), None)


def only(part: Part | None) -> RunInnovations:
    """The innovations of the only run."""
    assert part is not None
    (found,) = read_innovations(part.written[0])
    return found


def test_errors_that_were_right_are_found_so(tmp_path: Path) -> None:
    part = verified({"white": make_run(tmp_path / "white", 24)}, tmp_path / "out")
    assert part is not None
    found = only(part)
    assert (found.name, found.method, found.gain, found.hours, found.n_passed) == ("white", "pointwise", "one", 6.0, 0)
    assert found.regions == (ALL_LAND, "west", "far")
    assert found.n_analyses.tolist() == [[24, 24, 0]]
    assert found.n_values[0, 0] == 24 * 35 * 40
    assert found.n_pairs[0, 0] == 23
    for name, wanted in (
        ("chi2", 1.0),
        ("background_error", S_B),
        ("observation_error", S_O),
        ("lag_correlation", 0.0),
        ("mean_ob", 0.0),
    ):
        assert found.values[name][0, 0] == pytest.approx(wanted, abs=3.5 * found.errors[name][0, 0])
    assert np.isnan(found.values["chi2"][0, 2])
    assert np.square(found.scales["scale_sd_ob"][0]).sum() == pytest.approx(found.values["sd_ob"][0, 0] ** 2, rel=1e-3)
    text = " ".join(part.text.split())
    assert "Innovations are as large as the errors used say (chi2 1.0" in text
    assert "hardly correlate" in text
    assert [path.name for path in part.written] == ["innovations.nc", "innovations.csv"]


def test_numbers_of_a_period_are_those_of_its_analyses(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "white", 8)
    periods = {"late": (START + 3 * SIX, START + 20 * SIX), "after": (START + 30 * SIX, START + 40 * SIX)}
    found = only(verified({"white": folder}, tmp_path / "out", periods=periods))
    assert found.periods == (ALL_TIMES, "late", "after")
    assert found.n_analyses[:, 0].tolist() == [8, 5, 0]
    # What came before the period is not in its pairs.
    assert found.n_pairs[:, 0].tolist() == [7, 4, 0]
    assert np.isnan(found.values["sd_ob"][2]).all()
    files = [folder / f"cycles/{START + n * SIX:%Y%m%dT%H}/analysis/diagnostics.nc" for n in range(3, 8)]
    every = np.concatenate([read_innovation(file).images.innovation[1:].ravel() for file in files])
    assert found.values["mean_ob"][1, 0] == pytest.approx(every.mean(), rel=1e-9)
    assert found.values["sd_ob"][1, 0] == pytest.approx(every.std(), rel=1e-9)
    images = [read_innovation(file).images.innovation[1:].ravel() for file in files]
    lag = np.corrcoef(np.concatenate(images[:-1]), np.concatenate(images[1:]))[0, 1]
    assert found.values["lag_correlation"][1, 0] == pytest.approx(lag, rel=1e-9)


@pytest.mark.parametrize("comm", COMMS)
def test_the_bits_do_not_depend_on_the_number_of_ranks(tmp_path: Path, comm: MPI.Intracomm) -> None:
    folder = shared_folder(tmp_path, comm)
    with same_fate(comm):
        if comm.rank == 0:
            make_run(folder / "one", 5, passed=(2,))
            make_run(folder / "two", 3, seed=1, settings=pointwise(2 * S_B))
    runs = {"one": folder / "one", "two": folder / "two"}
    part = verified(runs, folder / "out", comm, {"begin": (START, START + 2 * SIX)})
    assert agree(comm, (part is None) == (comm.rank > 0))
    alone = None
    with same_fate(comm):
        if comm.rank == 0:
            alone = verified(runs, folder / "alone", SELF, {"begin": (START, START + 2 * SIX)})
    same = True
    if part is not None and alone is not None:
        same = part.text == alone.text and part.summary == alone.summary
        same &= part.written[1].read_bytes() == alone.written[1].read_bytes()
        with netCDF4.Dataset(part.written[0]) as a, netCDF4.Dataset(alone.written[0]) as b:
            same &= all(np.ma.filled(a[n][:]).tobytes() == np.ma.filled(b[n][:]).tobytes() for n in a.variables)
    assert agree(comm, same)


def test_moments_without_an_analysis_are_counted_and_are_no_neighbours(tmp_path: Path) -> None:
    part = verified({"gappy": make_run(tmp_path / "gappy", 8, passed=(2, 3))}, tmp_path / "out")
    assert part is not None
    found = only(part)
    assert (found.n_passed, found.times.size) == (2, 6)
    assert found.n_pairs[0, 0] == 4
    assert found.hours == 6.0
    said = "2 of 8 cycles from the first analysis to the last have none, as at 2022-06-02T12:00:00Z: no observation"
    assert said in part.text


def test_runs_without_analyses_are_said_to_have_none(tmp_path: Path) -> None:
    control = make_run(tmp_path / "control", 3, passed=(0, 1, 2))
    part = verified({"control": control}, tmp_path / "out")
    assert part is not None
    assert part.text == "Innovations: none of the runs has analyses."
    assert not part.written
    both = verified({"control": control, "white": make_run(tmp_path / "white", 3)}, tmp_path / "both")
    assert both is not None
    assert "control: no analyses" in both.text
    first, second = read_innovations(both.written[0])
    assert (first.times.size, second.times.size) == (0, 3)
    assert np.isnan(first.values["chi2"]).all()


def test_runs_may_have_grids_of_their_own(tmp_path: Path) -> None:
    other = Grid(np.linspace(60.0, 0.0, 40), np.linspace(80.0, 140.0, 50))
    folders = {"a": make_run(tmp_path / "a", 2), "b": make_run(tmp_path / "b", 2, grid=other)}
    part = verified(folders, tmp_path / "out")
    assert part is not None
    a, b = read_innovations(part.written[0])
    assert a.n_values[0, 1] == 2 * 35 * (GRID.longitude <= 110).sum()
    assert b.n_values[0, 1] == 2 * 39 * (other.longitude <= 110).sum()


def _lost(path: Path) -> str:
    path.unlink()
    return "no such file"


def _cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:3000])
    return "cannot be read"


def _other_grid(path: Path) -> str:
    grid = Grid(GRID.latitude + 5.0, GRID.longitude)
    write_diagnostics(path, START + SIX, np.zeros(grid.shape), np.zeros(grid.shape), pointwise(), grid=grid)
    return "a grid of"


def _other_time(path: Path) -> str:
    write_diagnostics(path, START, np.zeros(GRID.shape), np.zeros(GRID.shape), pointwise())
    return "an analysis of 2022-06-02T00:00:00Z, expected one of 2022-06-02T06:00:00Z"


def _not_diagnostics(path: Path) -> str:
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, GRID)
    return "innovation: found no such variable"


def _bad_settings(path: Path) -> str:
    write_diagnostics(path, START + SIX, np.zeros(GRID.shape), np.zeros(GRID.shape), {"method": {}})
    return "what cannot be understood"


@pytest.mark.parametrize("damage", [_lost, _cut, _other_grid, _other_time, _not_diagnostics, _bad_settings])
def test_no_analysis_is_left_out_in_silence(tmp_path: Path, damage: Any) -> None:
    folder = make_run(tmp_path / "run", 3)
    path = folder / "cycles/20220602T06/analysis/diagnostics.nc"
    said = damage(path)
    with pytest.raises(InputError) as caught:
        verified({"mine": folder}, tmp_path / "out")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("(see [runs.mine])")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"run\.json.*see \[runs\.mine\]"):
        verified({"mine": tmp_path / "empty"}, tmp_path / "out")


def test_fields_of_errors_are_read_again_and_missed_where_they_are_gone(tmp_path: Path) -> None:
    field = tmp_path / "sd.nc"
    with netCDF4.Dataset(field, "w") as file:
        write_grid(file, GRID)
        file.createVariable("sd", "f8", ("lat", "lon"))[:] = S_B
        file["sd"].units = "m3 m-3"
    wanted = {"file": str(field), "variable": "sd", "max_time_offset": None}
    folder = make_run(tmp_path / "run", 3, settings=pointwise(wanted))
    found = only(verified({"mine": folder}, tmp_path / "out"))
    assert found.values["background_error_used"][0, 0] == pytest.approx(S_B, rel=1e-12)
    assert found.gain == ""
    field.unlink()
    part = verified({"mine": folder}, tmp_path / "without")
    assert part is not None
    assert np.isnan(only(part).values["chi2"][0, 0])
    assert "the errors used are not known: " in part.text
    assert "sd.nc" in part.text
    assert "The errors used are not known: how large innovations should be cannot be said." in part.text


def test_the_file_opens_in_xarray_and_the_table_has_a_row_for_each_region(tmp_path: Path) -> None:
    part = verified({"white": make_run(tmp_path / "white", 4)}, tmp_path / "out")
    assert part is not None
    with xarray.open_dataset(part.written[0]) as file:
        assert file.sizes["analysis"] == 4
        assert str(file["time"].values[1])[:13] == "2022-06-02T06"
        chi2 = file["chi2"].sel(run="white", period=ALL_TIMES, region="west")
        assert 0.8 < float(chi2) < 1.2
        assert file["analysis_sd_ob"].dims == ("analysis", "region")
    with part.written[1].open() as text:
        rows = list(csv.DictReader(text))
    assert [row["region"] for row in rows] == [ALL_LAND, "west"]
    found = only(part)
    assert float(rows[1]["sd_ob_m3_m-3"]) == found.values["sd_ob"][0, 1]
    assert float(rows[0]["n_values"]) == 4 * 35 * 40


def test_a_file_that_is_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, GRID)
    with pytest.raises(InputError, match="expected innovations"):
        read_innovations(path)


def test_errors_that_members_and_facts_tell_are_taken(tmp_path: Path) -> None:
    values, spread = np.full(GRID.shape, 0.02), np.full(GRID.shape, 0.05)
    of_scales = InnovationScales(CurveletTransform(GRID.transform_shape(2), 2))

    def known(method: dict[str, Any], facts: dict[str, float], **more: Any) -> Known:
        settings = pointwise() | {"method": method}
        return errors_used(
            SavedInnovation(GRID, START, Images(values, values, values, **more), facts, settings, None), of_scales
        )

    letkf = known({"kind": "letkf", "localisation": 1000.0}, {}, spread=spread).errors
    assert (letkf.background, letkf.observation) == (spread, S_O)
    full = {"kind": "ensemble", "solver": "full"}
    expected = {"expected_error_background_observed": 0.04, "expected_error_analysis_observed": 0.01}
    errors = known(full, {"observation_error": 0.03, **expected}).errors
    assert (errors.background, errors.observation, errors.analysis) == (0.04, 0.03, 0.01)
    # With `scales` the full solver does not say what it expects.
    part = known(full, {"observation_error": 0.03})
    assert (part.errors.background, part.remark) == (None, "the analyses do not say their s_b")
    estimated = known({"kind": "pointwise", "background_error": 0.1}, {"white_observation_error": 0.02}).errors
    assert (estimated.background, estimated.observation) == (0.1, 0.02)
    assert "large_scale" in known({"kind": "large_scale"}, {}).remark


def test_diagnostics_of_real_analyses_are_read(example_case: Path, tmp_path: Path) -> None:
    """Methods of every kind: what they say of their errors, and what they do not."""
    for method, label, gain in (
        ('method = "innovation/full"', "innovation/full", "fitted"),
        ('method = "innovation/diagonal"', "innovation/diagonal", "fitted"),
        ('method = {kind = "paper", n_members = 5}', "paper", "one"),
        ('method = "pointwise"', "pointwise", "one"),
        ('method = "insert"', "insert", "whole"),
    ):
        output = run(tmp_path, demo(example_case, before=method), label.replace("/", "_"))
        path = output / "diagnostics.nc"
        saved, whole = read_innovation(path), read_analysis(path)
        np.testing.assert_array_equal(saved.images.increment, whole.increment)
        np.testing.assert_allclose(saved.images.innovation, whole.observation - whole.background, rtol=0, atol=1e-12)
        assert (method_label(saved.settings), gain_of(saved.settings)) == (label, gain)
        analyses = Analyses("a", [path], [saved.time], 0, (), saved.grid, saved.settings)
        (of_scales,) = scales_of([analyses], SELF)
        assert of_scales is not None
        known = errors_used(saved, of_scales)
        n = int(saved.images.seen.sum())
        power = of_scales.sums(saved.images, None)[1].sum() / n
        assert power == pytest.approx(np.var(saved.images.innovation[saved.images.seen]), rel=1e-9)
        if gain == "whole":
            assert known.errors.background is None
            assert "insert" in known.remark
            continue
        assert known.errors.background is not None
        assert known.errors.observation is not None
        total = float(np.sqrt(np.square(known.errors.background) + np.square(known.errors.observation)))
        if gain == "fitted":
            # It is taken from the innovation: the two must be of one size.
            assert total == pytest.approx(np.sqrt(np.mean(saved.images.innovation[saved.images.seen] ** 2)), rel=0.25)
        else:
            assert total == pytest.approx(np.hypot(0.15, known.errors.observation), rel=1e-9)
        if known.scales is not None:
            by_scale = float(np.sqrt(np.sum(known.scales)))
            assert by_scale == pytest.approx(total, rel=0.12)
        shutil.rmtree(output)
    assert set(STATISTICS) >= {"chi2"}
