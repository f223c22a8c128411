from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from launch import ROOT, imgda, read, run

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.parallel.cost import Problem, RankCost
from imgda_mpi.parallel.rank_grid import choose_grid
from imgda_mpi.workflow.calibration import Calibration, MemberTimes
from imgda_mpi.workflow.plan import Machine, Volume, predicted_seconds

N_MEMBERS = 12  # three blocks of each kind, the last one not full


@dataclass(frozen=True)
class Case:
    settings: Path
    shape: tuple[int, int]
    ranks: tuple[int, ...]


@pytest.fixture(scope="module", params=["example", "larger"])
def case(request: pytest.FixtureRequest, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == "example":
        text = example_case.read_text() + f"\n[errors]\nn_members = {N_MEMBERS}\n"
        settings = example_case.with_name("plan.toml")
        settings.write_text(text.replace('"analysis"', '"planned"'))
        return Case(settings, (128, 256), (1, 3, 7, 16))
    folder = tmp_path_factory.mktemp("larger") / "case"
    command = [sys.executable, str(ROOT / "tools" / "synthetic_case.py"), str(folder)]
    made = run([*command, "--grid", "360x720", "--members", str(N_MEMBERS)], {})
    return Case(Path(made.stdout.strip()), (360, 720), (2,))


@pytest.fixture(scope="module")
def outputs(case: Case) -> dict[int, Path]:
    """Diagnostics of analyses on each number of ranks."""
    found = {}
    for n in case.ranks:
        settings = case.settings.with_name(f"ranks{n}.toml")
        text = re.sub(r'(?m)^directory = "(planned|analysis)"', f'directory = "ranks{n}"', case.settings.read_text())
        settings.write_text(text)
        done = imgda("analyse", settings, ranks=n)
        assert done.returncode == 0, done.stderr
        found[n] = settings.with_name(f"ranks{n}") / "diagnostics.nc"
    return found


@pytest.fixture(scope="module")
def table(case: Case) -> dict[int, dict[str, str]]:
    """What plan says, by number of ranks."""
    done = imgda("plan", case.settings, "--ranks", ",".join(map(str, case.ranks)))
    assert done.returncode == 0, done.stderr
    return rows(done)


def rows(done: subprocess.CompletedProcess[str]) -> dict[int, dict[str, str]]:
    heading, *lines = done.stdout.split("\n\n")[0].splitlines()
    columns = re.split(r"\s{2,}", heading.strip())
    found = [dict(zip(columns, re.split(r"\s{2,}", line.strip()), strict=True)) for line in lines]
    return {int(row["ranks"]): row for row in found}


def problem(shape: tuple[int, int], n_members: int = N_MEMBERS, n_patch: int = 10_000) -> Problem:
    return Problem(CurveletTransform(shape).layout, 8, n_members, shape[0] * shape[1], n_patch, 0)


def cost(n_ranks: int, shape: tuple[int, int] = (128, 256), n_members: int = N_MEMBERS) -> RankCost:
    of = problem(shape, n_members)
    return RankCost(of, choose_grid(of.layout, n_members, n_ranks), n_ranks)


def test_messages_and_bytes_are_those_of_real_runs(case: Case, outputs: dict[int, Path], table: dict) -> None:
    for n, output in outputs.items():
        of = cost(n, case.shape)
        messages, n_bytes = (np.append(sent, np.zeros(n - of.grid.size, int)) for sent in of.sent)
        assert np.array_equal(messages, read(output, "exchange_messages"))
        assert np.array_equal(n_bytes, read(output, "exchange_bytes"))
        assert int(table[n]["messages"]) == messages.max()
        assert float(table[n]["MB sent"]) == pytest.approx(1e-6 * n_bytes.max(), abs=0.05)


def test_memory_is_that_of_real_runs(outputs: dict[int, Path], table: dict) -> None:
    for n, output in outputs.items():
        assert float(table[n]["GB"]) == pytest.approx(1e-9 * read(output, "peak_memory").max(), rel=0.15)


def test_every_member_is_perturbed_once_and_transformed_by_one_member_group() -> None:
    for n in (1, 2, 5, 16, 40):
        of = cost(n)
        assert of.perturbed.sum() == of.members.sum() == 2 * N_MEMBERS
        assert of.own.sum() == of.problem.layout.n_values
        assert of.transformed_share.sum() == pytest.approx(1.0)


def test_fft_work_of_one_rank_is_that_of_all_transforms() -> None:
    of = cost(1)
    layout = of.problem.layout
    one = 2.5 * 128 * 256 * 15  # log2(128 * 256)
    for wedge in layout.wedges:
        n = wedge.shape[0] * wedge.shape[1]
        one += (2.5 if wedge.is_real else 5.0) * n * np.log2(n)
    # Members of both kinds, the innovation, the inverse.
    assert of.flops.sum() == pytest.approx((2 * N_MEMBERS + 2) * one)


def test_memory_of_a_rank_does_not_grow_with_the_members() -> None:
    assert np.array_equal(cost(3, n_members=20).memory, cost(3, n_members=80).memory)


HERE = Calibration(
    program=200_000_000,
    start=2.0,
    restart=1.0,
    observation=0.1,
    checksum=1e-9,
    deflate=1e-8,
    setup=0.1,
    members=MemberTimes(perturb=0.1, transform=0.2, inverse=0.3, add=1e-8, update=1e-7),
    soil=1e-6,
    copy=1e-9,
)
VOLUME = Volume(inputs=10_000_000, restart=5_000_000, diagnostics=1_000_000, shared=True)


def test_time_follows_the_numbers_that_the_user_gives() -> None:
    def of(n_ranks: int, **known: float) -> dict[str, float]:
        return predicted_seconds(cost(n_ranks, n_members=50), HERE, Machine(**known), VOLUME)

    here = of(1)
    # 100 members, their innovation and inverse, and small change for sums and statistics.
    assert here["increment"] == pytest.approx(100 * 0.3 + 0.3 + 0.3, rel=0.01)
    assert of(2)["increment"] == pytest.approx(0.5 * 100 * 0.3 + 0.3 + 0.2, rel=0.03)
    rate = 1e-9 * (cost(1).flops.sum() / (2 * N_MEMBERS + 2)) / 0.3
    assert of(1, fft_rate=0.5 * rate)["increment"] == pytest.approx(2 * here["increment"])
    assert of(1, file_system=0.001)["restart"] == pytest.approx(10.0)
    assert of(4, latency=1e6)["increment"] > cost(4, n_members=50).sent[0].max()
    slow, fast = (of(4, bandwidth=rate)["increment"] for rate in (0.001, 1.0))
    assert slow > fast + 0.99 * cost(4, n_members=50).sent[1].max() / 1e6


def test_files_that_rank_0_reads_alone_take_as_long_on_many_ranks() -> None:
    alone = replace(VOLUME, shared=False)
    assert predicted_seconds(cost(8), HERE, Machine(memory=1.0), alone)["restart"] >= HERE.restart
    assert predicted_seconds(cost(8), HERE, Machine(), VOLUME)["restart"] < 0.2 * HERE.restart


def test_idle_ranks_and_too_little_memory_are_warned_of(example_case: Path, tmp_path: Path) -> None:
    settings = example_case.with_name("warnings.toml")
    settings.write_text(example_case.read_text().replace('"analysis"', f'"{tmp_path}/new"'))
    done = imgda("plan", settings, "--ranks", "4,64", "--memory", "0.1")
    row = rows(done)[64]
    member_groups, wedge_groups = map(int, row["groups"].split(" x "))
    assert int(row["idle"]) == 64 - member_groups * wedge_groups > 0
    assert f"warning: 64 ranks: {row['idle']} of them have no part" in done.stdout
    assert "warning: 4 ranks: a rank's" in done.stdout
    assert "do not fit into the 0.10 GB that a rank has" in done.stdout


@pytest.mark.parametrize("option", [("--ranks", "0"), ("--ranks", "4,x"), ("--ranks", "4", "--memory", "-1")])
def test_numbers_that_make_no_sense_are_refused(example_case: Path, option: tuple[str, ...]) -> None:
    done = imgda("plan", example_case, *option)
    assert done.returncode == 2
    assert "error: argument --" in done.stderr


def test_methods_without_coefficients_are_refused(example_case: Path) -> None:
    settings = example_case.with_name("pointwise.toml")
    settings.write_text(example_case.read_text().replace('method = "image"', 'method = "pointwise"'))
    done = imgda("plan", settings, "--ranks", "4")
    assert done.returncode == 2
    assert 'error: method = "pointwise"' in done.stderr
