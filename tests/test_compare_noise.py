"""Comparisons on noisy images of a truth at several times, of a region, with noise that is coherent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from launch import differing, imgda
from mpi4py import MPI
from real_comparisons import write_region

from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.results.comparison_file import read_comparison
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.compare import compare

SETTINGS = """
methods = ["none", "insert", "innovation/full"]
times = [2020-05-02T00:00:00Z, 2020-05-09T00:00:00Z, 2020-06-01T00:00:00Z]
noise = {white = 0.02, red = 0.06, length = 3.0, boxes = [[2.0, 13.0, -4.0, 0.1]]}
seeds = 3
grid = "background"
window = "1 day"
[background]
kind = "cf"
file = "background_%Y%m%d.nc"
variable = "sm"
[truth]
kind = "cf"
file = "judge_%Y%m%d.nc"
variable = "sm"
[output]
directory = "OUT"
"""


def test_times_of_a_region_with_red_noise_on_any_number_of_ranks(tmp_path: Path) -> None:
    region = write_region(tmp_path)
    for name in ("alone", "together"):
        (tmp_path / f"{name}.toml").write_text(SETTINGS.replace("OUT", name))
    compare(read_settings(tmp_path / "alone.toml", Comparison), MPI.COMM_SELF)
    done = imgda("compare", tmp_path / "together.toml", ranks=2)
    assert done.returncode == 0, done.stderr
    assert "1 of 3 times without a file of every section are passed over" in done.stderr
    assert differing(tmp_path / "alone/comparison.nc", tmp_path / "together/comparison.nc") <= {
        "time_taken",
        "/settings",
    }
    saved = read_comparison(tmp_path / "alone/comparison.nc")
    assert saved.case.tolist() == [0, 0, 0, 1, 1, 1]
    for draw, day in ((0, 1), (3, 8)):
        error = region.background[day] - region.judge[day]
        assert saved.ubrmse[0, draw, 0] == pytest.approx(np.nanstd(error), rel=1e-9)
    # What is observed is the truth, with the red part of the noise in the box alone.
    noise = saved.images["observation"] - saved.images["truth"]
    assert np.nanstd(noise[:, 8:]) == pytest.approx(0.02, rel=0.2)
    assert np.nanstd(noise[:, :7]) > 0.035
    table = comparison_table(saved)
    assert "6 draws of noise 0.02 (white) and 0.06 m3 m-3 (red, 3 cells in boxes), 1 truth, 2 times (1 with" in table
    assert "over the times, means of their draws" in table


def test_what_methods_expect_of_their_errors_is_held_against_the_truth(tmp_path: Path) -> None:
    write_region(tmp_path)
    # Red noise that nobody was told of: with the share of none the observation is taken for much better than it is.
    told = '{kind = "innovation", solver = "full", coherent_share = %s}'
    text = SETTINGS.replace('["none", "insert", "innovation/full"]', f'["none", {told % "0.0"}, {told % "0.5"}]')
    settings = text.replace(", boxes = [[2.0, 13.0, -4.0, 0.1]]", "").replace("OUT", "out")
    (tmp_path / "red.toml").write_text(f"{settings}[errors]\nobservation = 0.02\n")
    compare(read_settings(tmp_path / "red.toml", Comparison), MPI.COMM_SELF)
    saved = read_comparison(tmp_path / "out/comparison.nc")
    assert np.isnan(saved.expected[0]).all()
    assert np.isnan(saved.expected_over_true(0))
    for number in (1, 2):
        true = np.sqrt(np.mean(saved.ubrmse[number, :, 1] ** 2 + saved.bias[number, :, 1] ** 2))
        expected = np.sqrt(np.mean(saved.expected[number] ** 2))
        assert saved.expected_over_true(number) == pytest.approx(expected / true)
    wrong, better = saved.expected_over_true(1), saved.expected_over_true(2)
    assert wrong < 0.7
    assert wrong < better
    *_, last = comparison_table(saved).split("\n\n")
    lines = last.splitlines()
    assert lines[0].endswith(
        f"innovation/full(coherent_share=0.0) {wrong:.2f}, innovation/full(coherent_share=0.5) {better:.2f}"
    )
    assert lines[1].startswith("innovation/full(coherent_share=0.0): its errors are not what it takes them for")
