"""A twin experiment as a user runs it: what is made, the same on any number of ranks and however often it is ended."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cycles import kept
from launch import ENVIRONMENT, imgda, mpirun
from processes import end, wait_for
from twins import twin_settings

from imgda_mpi.netcdf import resolve
from imgda_mpi.observations.read import load_image
from imgda_mpi.results.propagation_file import read_propagation
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_images import images, instants
from imgda_mpi.results.scores_file import read_scores
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.verify.scores import scores

pytestmark = pytest.mark.program

START = datetime(2022, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUNS = ("nature", "control", "paper", "innovation")

SHORT = ("02T18", "02T00"), ("2022-06-03T12", "2022-06-02T06")
"""Of one analysis: where it does not matter what came of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="module")
def alone(folder: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The experiment that one process makes in one go, and what it said."""
    done = imgda("twin", twin_settings(folder, "alone"))
    assert done.returncode == 0, done.stderr
    return folder / "alone", done


def result(twin: Path) -> dict[str, object]:
    """All that must be the same however an experiment came about."""
    found: dict[str, object] = {name: kept(twin / name, around=twin) for name in RUNS}
    found |= {path.name: path.read_bytes() for path in (twin / "observations").iterdir()}
    return found | {path.name: path.read_bytes() for path in twin.glob("*.csv")}


def test_scores_are_those_of_the_histories(alone: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Against the truth in three layers, before and after every analysis, every three hours."""
    twin, _ = alone
    rows = read_scores(twin / "scores.csv")
    of_truth = {(row.run, row.layer, row.time, row.side): row.scores for row in rows if row.reference == "truth"}
    nature = open_run(twin / "nature")
    n_compared = 0
    for layer in ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0)):
        truth = {when: image for when, _, image in images(nature, layer)}
        assert list(truth) == [START + n * 3 * HOUR for n in range(13)]
        for name in RUNS[1:]:
            for when, side, image in images(open_run(twin / name), layer):
                found, expected = of_truth[name, layer, when, side], scores(image, truth[when])
                assert found.n_cells == expected.n_cells > 300
                np.testing.assert_allclose(
                    (found.scc, found.ubrmse, found.bias), (expected.scc, expected.ubrmse, expected.bias), rtol=1e-6
                )
                n_compared += 1
    assert n_compared == len(of_truth)
    sides = [side for run, layer, _, side in of_truth if run == "paper" and layer == (0.0, 0.1)]
    assert (sides.count("after"), sides.count("before"), sides.count("")) == (4, 3, 9)


def test_scores_against_observations_are_those_of_the_images(
    alone: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    twin, _ = alone
    of_images = [row for row in read_scores(twin / "scores.csv") if row.reference == "observation"]
    control, pattern = open_run(twin / "control"), TwinPaths(twin).images
    grid = next(instants(control)).history.grid
    for when, _, image in images(control, (0.0, 0.1)):
        seen = load_image("gldas", grid, when, file=resolve(pattern, when)).values
        (found,) = (row.scores for row in of_images if (row.run, row.time) == ("control", when))
        assert found.scc == pytest.approx(scores(image, seen).scc, rel=1e-6)


def test_assimilation_brings_the_surface_to_the_truth_and_the_table_says_so(
    alone: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    twin, done = alone
    last = {
        row.run: row.scores
        for row in read_scores(twin / "scores.csv")
        if row.reference == "truth"
        and row.layer == (0.0, 0.1)
        and row.side != "before"
        and row.time == START + 18 * HOUR
    }
    assert last["paper"].ubrmse < 0.8 * last["control"].ubrmse
    assert last["innovation"].ubrmse < 0.8 * last["control"].ubrmse
    assert f"{last['innovation'].scc:.3f}" in done.stdout
    assert "This is a twin, not the paper's data" in done.stdout
    assert "`imgda_mpi report " in done.stderr  # as it can be typed
    assert {row.run for row in read_propagation(twin / "propagation.csv")} == {"paper", "innovation"}


def test_ranks_do_not_change_a_bit(folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = imgda("twin", twin_settings(folder, "ranks"), ranks=2)
    assert done.returncode == 0, done.stderr
    assert result(folder / "ranks") == result(alone[0])
    assert done.stdout == alone[1].stdout


def until(there: Path, job: subprocess.Popen[Any]) -> None:
    """Wait for something that a job makes."""
    wait_for(lambda: there.exists() or job.poll() is not None or None, str(there), 100)
    assert job.poll() is None


def killed_at(file: Path, cycle: Path) -> None:
    """An experiment on two ranks of which all processes are ended as soon as a cycle is there."""
    mark = f"TWIN_TO_BE_KILLED={cycle}"
    name, _, value = mark.partition("=")
    job = subprocess.Popen(
        mpirun(2, "python", "-m", "mpi4py", "-m", "imgda_mpi", "twin", str(file)),
        env=ENVIRONMENT | {name: value},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(cycle, job)
    end(mark)
    job.wait(30)


def test_killed_twice_it_comes_to_the_same(folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    file, twin = twin_settings(folder, "killed"), folder / "killed"
    for cycle in ("paper/cycles/20220602T06", "innovation/cycles/20220602T06"):
        killed_at(file, twin / cycle)
    assert not (twin / "scores.csv").exists()
    done = imgda("twin", file)
    assert done.returncode == 0, done.stderr
    assert result(twin) == result(alone[0])


def test_ctrl_c_ends_it_in_order_and_the_same_command_goes_on(
    folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    file, twin = twin_settings(folder, "interrupted"), folder / "interrupted"
    job = subprocess.Popen(
        ["python", "-m", "imgda_mpi", "twin", str(file)], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    until(twin / "paper/cycles/20220602T06", job)
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 130, said
    assert "run this again to go on" in said
    assert "Traceback" not in said
    assert imgda("twin", file).returncode == 0
    assert result(twin) == result(alone[0])


def as_if_made_at(twin: Path, other: Path) -> Path:
    """A copy of an experiment with the paths that it would have elsewhere."""
    shutil.copytree(twin, other, symlinks=True)
    for path in (other / "settings.toml", *other.glob("*/settings.toml")):
        path.write_text(path.read_text().replace(str(twin), str(other)))
    return other


def test_two_jobs_at_once_are_one_and_one_that_is_refused(folder: Path) -> None:
    file, twin = twin_settings(folder, "both", *SHORT), folder / "both"
    command = [sys.executable, "-m", "imgda_mpi", "twin", str(file)]
    jobs = [subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = {}
    for job in jobs:
        _, text = job.communicate(timeout=120)
        said[job.returncode] = text
    assert sorted(said) == [0, 2]
    assert "a run at work" in said[2]
    assert imgda("twin", file).returncode == 0
    assert not [*twin.glob(".*.partial")]


def test_a_report_takes_no_truth_beside_the_twins_own(alone: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = imgda("report", alone[0], "--truth", alone[0] / "scores.csv")
    assert (done.returncode, "is for one analysis alone" in done.stderr) == (2, True)


def test_check_of_what_is_whole_says_that_it_goes_on(alone: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = imgda("check", alone[0].with_suffix(".toml"))
    assert done.returncode == 0, done.stderr
    assert "(goes on; about " in done.stderr


def test_an_empty_folder_and_a_link_to_one_are_taken_and_a_wrong_first_try_leaves_nothing(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(folder / "empty")
    own = ('kind = "embedded"\nrows = 32', 'kind = "colm202x"\ndirectory = "alone/case/demo"\ncase = "demo"')
    wrong = imgda("twin", twin_settings(folder, "link", own, ("2022-06-02T00", "2022-06-01T18")))
    assert wrong.returncode == 2
    assert "no such folder" in wrong.stderr
    assert not [*(folder / "empty").iterdir()]
    done = imgda("twin", twin_settings(folder, "link", *SHORT))
    assert done.returncode == 0, done.stderr
    assert (folder / "empty/scores.csv").exists()


def warned(done: subprocess.CompletedProcess[str], said: str) -> bool:
    """Whether a check found that the folder is taken, which is no fault of what it checks."""
    return done.returncode == 0 and any(
        line.startswith("warning: ") and said in line and line.endswith("(see [output] directory)")
        for line in done.stderr.splitlines()
    )


def test_a_variant_of_other_settings_is_refused_and_a_check_warns_of_it(
    folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    as_if_made_at(alone[0], folder / "other")
    file = twin_settings(folder, "other", ("{observation = 0.04}", "{observation = 0.05}"))
    said = "[errors] observation 0.04 there and 0.05 here"
    assert warned(imgda("check", file), said)
    done = imgda("twin", file)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_again_it_says_the_same_and_another_variant_is_one_more_run(
    folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    twin = as_if_made_at(alone[0], folder / "more")
    before = result(twin)
    again = imgda("twin", twin_settings(folder, "more"))
    assert again.returncode == 0, again.stderr
    assert again.stdout == alone[1].stdout
    assert result(twin) == before
    more = ("[output]", '[variants.pointwise]\nmethod = "pointwise"\n\n[output]')
    assert imgda("twin", twin_settings(folder, "more", more)).returncode == 0
    found = {row.run for row in read_scores(twin / "scores.csv")}
    assert found == {"control", "paper", "innovation", "pointwise"}
    assert {name: kept(twin / name, around=twin) for name in RUNS} == {name: before[name] for name in RUNS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("white = 0.03", "white = 0.04"), "[instrument] white 0.03 there and 0.04 here"),
        (("seed = 1", "seed = 2"), "seed 1 there and 2 here"),
        (("rows = 32", "rows = 34"), "[case] rows 32 there and 34 here"),
    ],
)
def test_the_folder_of_another_experiment_is_refused(
    folder: Path, alone: tuple[Path, subprocess.CompletedProcess[str]], change: tuple[str, str], said: str
) -> None:
    file = twin_settings(folder, "alone", change)
    done = imgda("twin", file)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert warned(imgda("check", file), said)
    twin_settings(folder, "alone")


def test_a_folder_that_holds_something_else_is_refused(folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full/notes.txt").write_text("mine")
    done = imgda("twin", twin_settings(folder, "full"))
    assert done.returncode == 2
    assert "a folder that is not empty" in done.stderr
    assert "[output] directory" in done.stderr
    assert warned(imgda("check", folder / "full.toml"), "a folder that is not empty")
    assert [path.name for path in (folder / "full").iterdir()] == ["notes.txt"]
