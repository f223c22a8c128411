"""Runs against images: scores at every moment and in every cell, and what is written of them."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray
from made_series import GRID, LAYERS, hours, made, truth_and_runs
from mpi4py import MPI

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.report.fields_table import fields_table
from imgda_mpi.results.field_scores_file import FieldScores, read_field_scores
from imgda_mpi.verify.field_scores import SCORES
from imgda_mpi.verify.regions import BOXES, cells_of
from imgda_mpi.verify.scales import scales_on
from imgda_mpi.verify.scores import scores
from imgda_mpi.workflow.verify_fields import Judged, Reference, verify_fields
from imgda_mpi.workflow.verify_inputs import Inputs, at_scales

pytestmark = pytest.mark.filterwarnings("ignore:h5py is running")

TIMES = hours(8)
PERIODS = {"assimilation": (TIMES[0], TIMES[5]), "forecast": (TIMES[6], TIMES[7])}
STATUS = [["fit to assimilated data", "independent", "independent"]] * 2


def judged(runs: dict, **more: object) -> Judged:
    inputs = Inputs(runs, GRID, TIMES, None, PERIODS, {"China": BOXES["China"]}, LAYERS)
    inputs = Inputs(**{**inputs.__dict__, **more})
    return Judged(inputs, scales_on(GRID, MPI.COMM_SELF), at_scales(TIMES, timedelta(days=1)))


def verified(directory: Path, of: Judged | None = None, image: ImageSeries | None = None) -> FieldScores:
    """What is written of runs against a truth, unless other runs or another image is given."""
    truth, control, run = truth_and_runs()
    of = of or judged({"control": control, "run": run})
    (part,) = verify_fields(
        of, Reference("truth", image or truth, "bilinear", STATUS[: len(of.inputs.periods)]), directory, MPI.COMM_SELF
    )
    found = read_field_scores(directory / "scores_field_truth.nc")
    assert part.text == fields_table(found)
    return found


def test_scores_at_a_moment_are_those_of_its_images_before_and_after(tmp_path: Path) -> None:
    found = verified(tmp_path)
    assert found.scores.shape == (8, 2, 2, 3, 2, 2, len(SCORES))
    truth, control, run = truth_and_runs()
    time = TIMES[3]
    of_truth = truth.frames[time, ""][1]
    for side, n, image in ((1, 0, control.frames[time, ""]), (0, 1, run.frames[time, "before"])):
        one = scores(image[1], of_truth, cells_of(GRID, BOXES["China"]))
        mine = dict(zip(SCORES, found.scores[3, side, n, 1, 1, 0], strict=True))
        assert mine["n"] == one.n_cells
        assert mine["scc"] == pytest.approx(one.scc, abs=1e-12)
        assert mine["ubrmse"] == pytest.approx(one.ubrmse, abs=1e-12)
        assert mine["bias"] == pytest.approx(one.bias, abs=1e-12)
    assert np.isnan(found.scores[3, 0, 0]).all()  # a control has no state before an analysis
    assert np.isnan(found.scores[7, 0]).all()  # in a forecast there is none


def test_squares_of_errors_by_scale_add_up_to_that_of_the_ubrmse(tmp_path: Path) -> None:
    found = verified(tmp_path)
    error = found.by_scale["error_by_scale"]
    assert np.isfinite(error[0, 1, :, :, 0]).all()
    assert np.isnan(error[1]).all()  # once a day
    ubrmse = found.scores[0, 1, :, :, 0, 0, SCORES.index("ubrmse")]
    np.testing.assert_allclose(np.sqrt((error[0, 1] ** 2).sum(axis=-1)), ubrmse, rtol=1e-9)


def test_files_are_read_back_and_open_in_xarray(tmp_path: Path) -> None:
    found = verified(tmp_path)
    assert (found.runs, found.periods, found.times) == (["control", "run"], list(PERIODS), TIMES)
    assert found.status == STATUS
    with xarray.open_dataset(tmp_path / "scores_map_truth.nc") as maps:
        truth, _, run = truth_and_runs()
        row, column = np.argwhere(np.isfinite(truth.frames[TIMES[0], ""][0]))[5]
        own = np.array([run.frames[time, "after"][2, row, column] for time in TIMES[:6]])
        other = np.array([truth.frames[time, ""][2, row, column] for time in TIMES[:6]])
        cell = maps.sel(period="assimilation", run="run").isel(layer=2, lat=row, lon=column)
        assert float(cell["correlation"]) == pytest.approx(np.corrcoef(own, other)[0, 1], abs=1e-6)
        assert int(cell["n"]) == 6
    lines = (tmp_path / "scores_field_truth.csv").read_text().splitlines()
    # Run, layer, region, weight: after in both periods, and before in one for the run that has analyses.
    assert len(lines) == 1 + 2 * 3 * 2 * 2 * 2 + 3 * 2 * 2


def test_the_table_marks_what_was_assimilated(tmp_path: Path) -> None:
    found = verified(tmp_path)
    text = fields_table(found)
    assert "0-10 cm, assimilation: fit to assimilated data" in text
    assert "10-40 cm, forecast: independent" in text
    assert "all land, before analyses" in text
    assert max(map(len, text.splitlines())) <= 120


def test_images_of_another_grid_are_brought_to_that_of_the_runs(tmp_path: Path) -> None:
    _, control, _ = truth_and_runs()
    grid = Grid(np.array([60.0, 30.0, 0.0, -30.0, -60.0]), np.arange(0.0, 360.0, 45.0))
    flat = made({(time, ""): np.full((3, *grid.shape), 0.25) for time in TIMES}, grid)
    found = verified(tmp_path, image=flat)
    covered = np.abs(GRID.latitude) <= 60
    own = control.frames[TIMES[0], ""][0][covered]
    assert found.scores[0, 1, 0, 0, 0, 0, SCORES.index("bias")] == pytest.approx(np.nanmean(own) - 0.25, abs=1e-12)
    assert np.isnan(found.scores[..., SCORES.index("scc")]).all()  # a constant image


def test_means_over_a_window_are_those_of_its_moments(tmp_path: Path) -> None:
    truth, control, run = truth_and_runs()
    days = [TIMES[0], TIMES[4]]
    runs = {"control": control, "run": run}
    found = verified(tmp_path, judged(runs, times=days, window=timedelta(days=1), periods={"all": tuple(days)}))
    mean, of_truth = (
        np.mean([series.at(time)[-1].layer(LAYERS[0]) for time in TIMES[:4]], axis=0) for series in (run, truth)
    )
    assert found.scores[0, 1, 1, 0, 0, 0, SCORES.index("ubrmse")] == pytest.approx(scores(mean, of_truth).ubrmse)


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    truth, control, _ = truth_and_runs()
    late = made({(time + timedelta(days=90), ""): truth.frames[time, ""] for time in TIMES})
    empty = made({(time, ""): np.full((3, *GRID.shape), np.nan) for time in TIMES})
    for series, said in ((late, "no image at 8 times"), (empty, "8 images without a cell that has a value in all")):
        with pytest.raises(InputError, match=said):
            verified(tmp_path, judged({"control": control}), series)


@pytest.mark.mpi
def test_the_bits_do_not_depend_on_the_number_of_ranks(tmp_path: Path) -> None:
    comm = MPI.COMM_WORLD
    together = comm.bcast(tmp_path)
    truth, control, run = truth_and_runs()
    runs = judged({"control": control, "run": run})
    parts = verify_fields(runs, Reference("truth", truth, "bilinear", STATUS), together, comm)
    assert len(parts) == (comm.rank == 0)
    if comm.rank == 0:
        (alone_in := tmp_path / "alone").mkdir()
        found, alone = read_field_scores(together / "scores_field_truth.nc"), verified(alone_in)
        np.testing.assert_array_equal(found.scores, alone.scores)
        for name, values in alone.by_scale.items():
            np.testing.assert_array_equal(found.by_scale[name], values)
        names = [folder / "scores_map_truth.nc" for folder in (together, alone_in)]
        with xarray.open_dataset(names[0]) as maps, xarray.open_dataset(names[1]) as others:
            xarray.testing.assert_identical(maps, others)
