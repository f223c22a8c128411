"""Verification of runs of the real model."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.results.field_scores_file import read_field_scores
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.verify import Verification
from imgda_mpi.verify.field_scores import SCORES
from imgda_mpi.workflow.verify import verify

IMAGES = "colm/colm2014/global/twin_images_2022-156_164.nc"
RUNS = ("none", "pointwise", "paper", "full")

OF_FILE = """\
[{section}.{run}]
kind = "cf"
file = "{file}"
variable = "soil_moisture"
select = {{run = "{run}"}}
"""


@pytest.mark.filterwarnings("ignore:h5py is running")
def test_scores_of_runs_of_colm2014_are_those_of_their_images(shared: Path, tmp_path: Path) -> None:
    images_file = shared / IMAGES
    sections = [OF_FILE.format(section="runs", run=run, file=images_file) for run in RUNS]
    sections += [OF_FILE.format(section="images", run="nature", file=images_file), '[output]\ndirectory = "result"\n']
    (tmp_path / "verify.toml").write_text("\n".join(sections))
    verify(read_settings(tmp_path / "verify.toml", Verification), MPI.COMM_SELF)
    found = read_field_scores(tmp_path / "result" / "scores_field_nature.nc")
    with netCDF4.Dataset(images_file) as file:
        every = {
            str(name): np.ma.filled(one, np.nan)
            for name, one in zip(file["run"][:], file["soil_moisture"][:], strict=True)
        }
    assert found.scores.shape[:5] == (9, 2, len(RUNS), 3, 3)
    for time in range(9):
        for layer in range(3):
            images = np.stack([every[name][time, layer].astype(np.float64) for name in (*RUNS, "nature")])
            cells = np.isfinite(images).all(axis=0)
            *runs, truth = images[:, cells]
            for run, own in enumerate(runs):
                mine = dict(zip(SCORES, found.scores[time, 1, run, layer, 0, 0], strict=True))
                assert mine["n"] == cells.sum() > 9_000
                assert mine["scc"] == pytest.approx(np.corrcoef(own, truth)[0, 1], abs=1e-10)
                assert mine["ubrmse"] == pytest.approx(np.std(own - truth), abs=1e-10)
                assert mine["bias"] == pytest.approx(np.mean(own - truth), abs=1e-10)
                assert mine["rmse"] == pytest.approx(np.sqrt(np.mean((own - truth) ** 2)), abs=1e-10)
