"""The scaling study: its definitions on numbers made up, its table and pictures on a case measured here."""

from __future__ import annotations

import argparse
import csv
import doctest
import math
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from launch import ROOT, load

from imgda_mpi.faults import OutputError

# As python does for a script in that folder.
sys.path.insert(0, str(ROOT / "tools"))

import scaling
import scaling_rows as points
import synthetic_case
from scaling import job_script, planned
from scaling_rows import Measurement, efficiency, measured, scaling_rows

SMALL, LARGE = (64, 128), (720, 1440)


def a_measurement(ranks: int, members: int, seconds: float, shape: tuple[int, int] = SMALL) -> Measurement:
    """One whose increment takes all the time but 1 s of writing."""
    stages = dict.fromkeys(points.STAGES, 0.0) | {"increment": seconds - 1.0, "write": 1.0}
    return Measurement(shape, ranks, members, stages, seconds, 1_000_000_000)


@pytest.mark.parametrize("module", [scaling, points, synthetic_case])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_strong_efficiency_is_t1_over_n_tn() -> None:
    assert efficiency("strong", (1, 12.0), (4, 4.0)) == 12.0 / (4 * 4.0)
    assert efficiency("strong", (32, 12.0), (128, 4.0)) == 0.75


def test_weak_efficiency_is_t1_over_tn() -> None:
    assert efficiency("weak", (1, 12.0), (4, 16.0)) == 0.75


def test_plan_has_strong_and_weak_runs_once_per_repetition() -> None:
    sizes = [(run.ranks, run.members, run.repetition) for run in planned(SMALL, [2, 4, 6], 10, 2)]
    once = [(2, 10), (4, 10), (4, 20), (6, 10), (6, 30)]
    assert sizes == [(*size, repetition) for repetition in (1, 2) for size in once]
    assert len({run.name for run in planned(SMALL, [2, 4, 6], 10, 2)}) == 10


def test_grids_grow_where_there_are_no_members() -> None:
    runs = [(run.shape, run.ranks, run.members) for run in planned(SMALL, [2, 8], 0, 1)]
    assert runs == [(SMALL, 2, 0), (SMALL, 8, 0), ((128, 256), 8, 0)]
    rows = scaling_rows(
        [
            a_measurement(1, 0, 8.0),
            a_measurement(4, 0, 2.5),
            a_measurement(4, 0, 10.0, (128, 256)),
            a_measurement(4, 50, 1.5),  # of another method
        ],
        members=0,
    )
    found = [(row.scaling, row.shape, row.grid, row.ranks, row.efficiency) for row in rows]
    assert found == [
        ("strong", SMALL, SMALL, 1, 1.0),
        ("strong", SMALL, SMALL, 4, 0.8),
        ("weak", SMALL, SMALL, 1, 1.0),
        ("weak", SMALL, (128, 256), 4, 0.8),
    ]


def test_members_that_cannot_grow_with_the_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="5 members on 2 ranks"):
        planned(SMALL, [2, 3], 5, 1)


def test_rows_hold_medians_and_efficiencies_of_both_curves() -> None:
    rows = scaling_rows(
        [
            *(a_measurement(1, 50, seconds) for seconds in (8.0, 30.0, 9.0)),
            *(a_measurement(2, 50, seconds) for seconds in (5.0, 6.0)),
            a_measurement(2, 100, 10.0),
            a_measurement(2, 70, 1.5),  # of another study
            a_measurement(4, 50, 99.0, LARGE),
            a_measurement(2, 25, 88.0, LARGE),  # fewer ranks than the first of that grid
        ],
        members=50,
    )
    found = [(r.scaling, r.shape, r.ranks, r.members, r.repetitions, r.total, r.efficiency) for r in rows]
    assert found == [
        ("strong", SMALL, 1, 50, 3, 9.0, 1.0),
        ("strong", SMALL, 2, 50, 2, 5.5, 9.0 / 11.0),
        ("strong", LARGE, 4, 50, 1, 99.0, 1.0),
        ("weak", SMALL, 1, 50, 3, 9.0, 1.0),
        ("weak", SMALL, 2, 100, 1, 10.0, 0.9),
        ("weak", LARGE, 4, 50, 1, 99.0, 1.0),
    ]
    assert [row.stages["increment"] for row in rows[:2]] == [8.0, 4.5]


def test_measurement_is_the_largest_over_ranks_and_passes_over_unknown_stages(tmp_path: Path) -> None:
    names = ["restart", "tuning", "write"]
    with netCDF4.Dataset(tmp_path / "diagnostics.nc", "w") as file:
        file.n_ranks = 2
        file.settings = '{"method": {"n_members": 6}}'
        for name, size in {"lat": 40, "lon": 80, "rank": 2, "stage": 3, "length": 7}.items():
            file.createDimension(name, size)
        file.createVariable("stage", "S1", ("stage", "length"))._Encoding = "ascii"
        file["stage"][:] = np.array(names, dtype="S7")
        file.createVariable("stage_time", "f8", ("rank", "stage"))[:] = [[1.0, 50.0, 4.0], [2.0, 60.0, 2.5]]
        file.createVariable("peak_memory", "i8", ("rank",))[:] = [300, 200]
    found = measured(tmp_path / "diagnostics.nc")
    assert (found.shape, found.ranks, found.members, found.total, found.memory) == ((40, 80), 2, 6, 5.0, 300)
    assert (found.stages["restart"], found.stages["write"]) == (2.0, 4.0)
    assert all(math.isnan(found.stages[name]) for name in ("observation", "transform", "increment", "soil"))


@pytest.mark.parametrize(
    ("scheduler", "ranks", "lines"),
    [
        ("slurm", 64, ["#SBATCH --nodes=2", "#SBATCH --ntasks=64"]),
        ("slurm", 4, ["#SBATCH --nodes=1", "#SBATCH --ntasks=4"]),
        ("pbs", 64, ["#PBS -l select=2:ncpus=32:mpiprocs=32"]),
        ("pbs", 4, ["#PBS -l select=1:ncpus=4:mpiprocs=4"]),
        ("lsf", 96, ["#BSUB -n 96", '#BSUB -R "span[ptile=32] affinity[core(1)]"']),
        ("lsf", 4, ["#BSUB -n 4", '#BSUB -R "span[ptile=4] affinity[core(1)]"']),
    ],
)
def test_job_scripts_ask_for_ranks_and_name_the_case(scheduler: str, ranks: int, lines: list[str]) -> None:
    text = job_script(scheduler, Path("/data/a case/ranks.toml"), ranks, 32)
    assert {*lines, "case_file='/data/a case/ranks.toml'", f"project={ROOT}"} <= set(text.splitlines())
    template = (ROOT / "jobs" / f"{scheduler}.sh").read_text()
    assert len(text.splitlines()) == len(template.splitlines())
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_half_filled_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="48 ranks do not fill nodes of 32 cores"):
        job_script("slurm", Path("case.toml"), 48, 32)


@pytest.mark.parametrize("text", ["720", "720x", "16x32", "720x1440x2", "-64x128"])
def test_grids_are_rows_by_columns(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="720x1440"):
        synthetic_case.parse_grid(text)


def test_synthetic_case_has_soil_on_its_share_of_cells_in_the_right_blocks() -> None:
    land = synthetic_case.make_land(np.random.default_rng(1), (90, 180))
    assert abs(land.cell.size / (90 * 180) - synthetic_case.LAND_SHARE) < 1e-3
    assert np.unique(land.cell).size == land.cell.size
    row, column = np.divmod(land.cell, 180)
    for name, patches in land.blocks:
        west = int(name[1:4]) * (-1 if name[0] == "w" else 1)
        south = int(name[6:8]) * (-1 if name[5] == "s" else 1)
        assert ((land.grid.longitude[column[patches]] - west) // synthetic_case.BLOCK_SIZE == 0).all()
        assert ((land.grid.latitude[row[patches]] - south) // synthetic_case.BLOCK_SIZE == 0).all()
        assert (np.diff(land.cell[patches]) > 0).all()
    assert sum(patches.stop - patches.start for _, patches in land.blocks) == land.cell.size


def test_synthetic_case_leaves_a_folder_that_is_in_use_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(OutputError):
        synthetic_case.write_case(tmp_path, SMALL, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_study_measures_each_run_once_and_tabulates_and_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = ["run", "--grids", "64x128", "--ranks", "1,2", "--method", "paper", "--members", "4", "--repeat", "1"]
    assert scaling.main([*options, "--directory", str(tmp_path)]) == 0
    results = {folder.name: folder / "diagnostics.nc" for folder in (tmp_path / "64x128").glob("ranks*_1")}
    assert results.keys() == {"ranks1_members4_1", "ranks2_members4_1", "ranks2_members8_1"}

    seconds = {name: load(path)["stage_time"] for name, path in results.items()}
    assert [seconds[name].shape for name in sorted(seconds)] == [(1, 6), (2, 6), (2, 6)]
    total = {name: times.sum(axis=1).max() for name, times in seconds.items()}
    first = total["ranks1_members4_1"]
    expected = [
        ("strong", "1", "4", "ranks1_members4_1", 1.0),
        ("strong", "2", "4", "ranks2_members4_1", first / (2 * total["ranks2_members4_1"])),
        ("weak", "1", "4", "ranks1_members4_1", 1.0),
        ("weak", "2", "8", "ranks2_members8_1", first / total["ranks2_members8_1"]),
    ]
    with (tmp_path / "scaling.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(expected)
    for row, (kind, ranks, members, name, value) in zip(table, expected, strict=True):
        assert (row["scaling"], row["grid"], row["ranks"], row["members"]) == (kind, "64x128", ranks, members)
        stages = [float(row[f"{stage}_s"]) for stage in points.STAGES]
        assert np.allclose(stages, seconds[name].max(axis=0), rtol=0, atol=6e-5)
        assert math.isclose(float(row["total_s"]), total[name], abs_tol=6e-5)
        assert math.isclose(float(row["efficiency"]), value, abs_tol=6e-5)
    for picture in ("times.png", "efficiency.png", "memory.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")

    # What has a result is not run again.
    before = {name: path.stat().st_mtime_ns for name, path in results.items()}
    assert scaling.main([*options, "--directory", str(tmp_path)]) == 0
    assert {name: path.stat().st_mtime_ns for name, path in results.items()} == before


def test_study_of_the_full_solver_grows_the_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = ["run", "--grids", "64x128", "--ranks", "1,2", "--repeat", "1", "--directory", str(tmp_path)]
    assert scaling.main(options) == 0
    with (tmp_path / "scaling.csv").open(newline="") as file:
        table = [(row["scaling"], row["grid"], row["ranks"], row["members"]) for row in csv.DictReader(file)]
    assert table == [
        ("strong", "64x128", "1", "0"),
        ("strong", "64x128", "2", "0"),
        ("weak", "64x128", "1", "0"),
        ("weak", "96x176", "2", "0"),
    ]


def test_plot_without_results_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scaling.main(["plot", "--directory", str(tmp_path)]) == 2
    assert "no result of innovation/full" in capsys.readouterr().err
    assert scaling.main(["plot", "--method", "paper", "--directory", str(tmp_path)]) == 2
    assert "no result with 50 members" in capsys.readouterr().err
