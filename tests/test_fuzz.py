"""Damaged input of every kind ends in a message or in a result that can be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from launch import ENVIRONMENT, ROOT

# As python does for a script in that folder.
sys.path.insert(0, str(ROOT / "tools"))

from fuzz import make
from fuzz_cases import inputs, linked, write_cases
from fuzz_judge import faults, faults_of_page, faults_of_run, faults_of_scores

MUTANTS = 100


def fuzz(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/fuzz.py"), str(folder), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, env=ENVIRONMENT, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz")
    write_cases(path / "cases")
    return path


def test_no_mutant_ends_in_a_traceback_a_hang_or_a_result_that_cannot_be(folder: Path) -> None:
    done = fuzz(folder, "--mutants", MUTANTS)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [json.loads(line) for line in (folder / "results-1.jsonl").read_text().splitlines()]
    assert [result["number"] for result in results] == [*range(MUTANTS)]
    # It goes on where it was, which is its end.
    assert fuzz(folder, "--mutants", MUTANTS).stdout == done.stdout


def test_a_mutant_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    cases = folder / "cases"
    for number in range(200, 240):
        first, second = (make(1, number, inputs(cases), cases, tmp_path / f"{number}{name}") for name in "ab")
        assert first == second
        one, other = (tmp_path / f"{number}{name}" / first["file"] for name in "ab")
        assert one.is_file() == other.is_file()
        if one.is_file() and not h5py.is_hdf5(one):  # HDF5 keeps the second at which a thing was made
            assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("variable", "index", "value", "said"),
    [
        ("wliq_soisno", (0, 7), 1e4, "layers of water"),
        ("wliq_soisno", (0, 2), 1.0, "water in snow"),
        ("t_soisno", (0, 7), 280.0, "t_soisno: other bits"),
        ("wa", 0, 1e9, "wa changed"),
    ],
)
def test_a_result_that_cannot_be_is_seen(
    folder: Path, tmp_path: Path, variable: str, index: tuple[int, ...], value: float, said: str
) -> None:
    case, output = tmp_path / "case", tmp_path / "case" / "analysis"
    list(linked(folder / "cases/columns202x", case))
    shutil.copytree(folder / "cases/columns202x.analysis", output)
    assert not faults(case, output)
    with h5py.File(next(output.rglob("*s90.nc")), "r+") as file:
        file[variable][index] = value
    assert any(said in fault for fault in faults(case, output))


def test_scores_runs_and_pages_that_cannot_be_are_seen(folder: Path, tmp_path: Path) -> None:
    for name, judge in (("verified", faults_of_scores), ("columns", faults_of_run)):
        output = Path(shutil.copytree(folder / "cases" / f"{name}.analysis", tmp_path / name, symlinks=True))
        assert judge(folder, output) == []
        for path in output.rglob("history.nc"):
            with h5py.File(path, "r+") as file:
                file["soil_moisture"][0, 0] = 3.0
        for path in output.glob("scores_field_*.csv"):
            head, first, *rows = path.read_text().splitlines()
            values = dict(zip(head.split(","), first.split(","), strict=True)) | {"scc_mean": "2.0"}
            path.write_text("\n".join([head, ",".join(values.values()), *rows]))
        assert len(judge(folder, output)) == 1
        shutil.rmtree(output)
        assert judge(folder, output)
    assert faults_of_page(folder, tmp_path)
