from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cases import FEW, METHOD, demo, settings_file
from launch import ROOT, finished, imgda, read

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.rectangle import choose_rectangle
from imgda_mpi.planning.case import Case as PlannedCase
from imgda_mpi.planning.case import FeatureCounts
from imgda_mpi.planning.diagonal import MembersCost
from imgda_mpi.planning.full import FullCost
from imgda_mpi.planning.machine import Machine

N_MEMBERS = 12  # three blocks of each kind, the last one not full


@dataclass(frozen=True)
class Case:
    settings: Path
    shape: tuple[int, int]
    ranks: tuple[int, ...]


@pytest.fixture(scope="module", params=["example", "larger"])
def case(request: pytest.FixtureRequest, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    if request.param == "example":
        few = f'method = {{kind = "paper", n_members = {N_MEMBERS}}}'
        text = example_case.read_text().replace(METHOD, few)
        settings = example_case.with_name("plan.toml")
        settings.write_text(text.replace('"analysis"', '"planned"'))
        return Case(settings, (128, 256), (1, 3, 5))
    folder = tmp_path_factory.mktemp("larger") / "case"
    command = [sys.executable, str(ROOT / "tools" / "synthetic_case.py"), str(folder)]
    made = finished([*command, "--grid", "360x720", "--members", str(N_MEMBERS)], {})
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


def planned(shape: tuple[int, int], n_members: int = N_MEMBERS) -> PlannedCase:
    return PlannedCase(CurveletTransform(shape).layout, 8, n_members, shape[0] * shape[1], 10_000, 0)


def cost(n_ranks: int, shape: tuple[int, int] = (128, 256), n_members: int = N_MEMBERS) -> MembersCost:
    of = planned(shape, n_members)
    return MembersCost(of, choose_rectangle(of.layout, n_members, n_ranks), n_ranks)


def test_messages_and_bytes_are_those_of_real_runs(case: Case, outputs: dict[int, Path], table: dict) -> None:
    for n, output in outputs.items():
        assert "s work" not in table[n]  # of no machine
        of = cost(n, case.shape)
        messages, n_bytes = (np.append(sent, np.zeros(n - of.ranks.size, int)) for sent in of.sent)
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
        assert of.own.sum() == of.case.layout.n_values


def test_fft_work_of_one_rank_is_that_of_all_transforms() -> None:
    of = cost(1)
    layout = of.case.layout
    one = 2.5 * 128 * 256 * 15  # log2(128 * 256)
    for wedge in layout.wedges:
        n = wedge.shape[0] * wedge.shape[1]
        one += (2.5 if wedge.is_real else 5.0) * n * np.log2(n)
    # Members of both kinds, the innovation, the inverse.
    assert of.flops.sum() == pytest.approx((2 * N_MEMBERS + 2) * one)


def test_memory_of_a_rank_does_not_grow_with_the_members() -> None:
    assert np.array_equal(cost(3, n_members=20).memory, cost(3, n_members=80).memory)


def test_the_full_solver_divides_its_work() -> None:
    case = planned((360, 720), 0)
    alone, shared = FullCost(case, 1), FullCost(case, 4)
    assert alone.rows.tolist() == [360]
    assert shared.rows.sum() == 360
    assert shared.columns.sum() == 361
    assert shared.wedges.sum() == case.layout.n_values
    assert not alone.sent[0].any()
    assert shared.sent[0].min() > 0
    assert shared.flops.max() < alone.flops[0] < 1.5 * shared.flops.sum()
    assert shared.memory.max() < alone.memory[0]


def test_times_are_those_of_the_machine(example_case: Path) -> None:
    machine = Machine(fft_rate=2e9, bandwidth=1e9, latency=1e-6)
    assert machine.exchange_seconds((10, 2_000_000), 5, 1) == pytest.approx(2e-3 + 10e-6)
    assert machine.exchange_seconds((10, 2_000_000), 5, 9) == pytest.approx(2e-3 + 30e-6)
    slow, fast = (rows(imgda("plan", example_case, "--ranks", "1,2", "--machine", of)) for of in ("1,1,1", "2,1,1"))
    for n in (1, 2):
        assert float(slow[n]["s work"]) == pytest.approx(2 * float(fast[n]["s work"]), rel=0.02)
    assert float(slow[1]["s exchange"]) == 0 < float(slow[2]["s exchange"])


def test_work_is_shared_out_but_for_what_every_rank_does() -> None:
    for features in (FeatureCounts(), FeatureCounts(20, 3, 10**6, 10**5)):
        case = replace(planned((360, 720), 0), features=features)
        alone, shared = FullCost(case, 1), FullCost(case, 4)
        assert alone.work[0] > alone.flops[0]
        assert shared.work.max() < alone.work[0] < shared.work.sum()
    of = cost(4)
    assert of.work.max() < cost(1).work.max()


def test_ranks_beyond_what_there_is_to_do_are_idle() -> None:
    few = FullCost(planned((32, 64), 0), 200)
    assert few.idle == 200 - np.count_nonzero(few.rows + few.wedges)
    assert few.remarks == [f"{few.idle} of them have neither rows nor wedges"]


def test_memory_and_files_of_the_full_solver_are_those_of_real_runs(case: Case) -> None:
    settings = case.settings.with_name("full.toml")
    text = re.sub(r'(?m)^directory = "(planned|analysis)"', 'directory = "full"', case.settings.read_text())
    settings.write_text(re.sub(r"(?ms)^(method = .*?$|\[method\]\n.*?\n\n)", "", text))
    settings.write_text('method = "innovation/full"\n' + settings.read_text())
    ranks = (1, 2) if case.shape == (128, 256) else (2,)
    said = rows(imgda("plan", settings, "--ranks", "1,2"))
    for n in ranks:
        done = imgda("analyse", settings, ranks=n)
        assert done.returncode == 0, done.stderr
        output = settings.with_name("full")
        peak = 1e-9 * read(output / "diagnostics.nc", "peak_memory").max()
        assert float(said[n]["GB"]) == pytest.approx(peak, rel=0.15)
        if case.shape == (128, 256):
            # A small image has no rows on rank 1, and the number of iterations decides nothing.
            assert int(said[n]["messages"]) == read(output / "diagnostics.nc", "exchange_messages").max()
        shutil.rmtree(output)


def test_idle_ranks_and_too_little_memory_are_warned_of(example_case: Path, tmp_path: Path) -> None:
    settings = example_case.with_name("warnings.toml")
    paper = example_case.read_text().replace(METHOD, 'method = "paper"')
    settings.write_text(paper.replace('"analysis"', f'"{tmp_path}/new"'))
    done = imgda("plan", settings, "--ranks", "4,64", "--memory", "0.1")
    row = rows(done)[64]
    member_groups, wedge_groups = map(int, row["groups"].split(" x "))
    assert int(row["idle"]) == 64 - member_groups * wedge_groups > 0
    assert f"warning: 64 ranks: {row['idle']} of them have no part" in done.stdout
    assert "warning: 4 ranks: a rank's" in done.stdout
    assert "do not fit into the 0.10 GB that a rank has" in done.stdout


@pytest.mark.parametrize(
    "option",
    [("--ranks", "0"), ("--ranks", "4,x"), ("--ranks", "4", "--memory", "-1"), ("--ranks", "4", "--machine", "3,1")],
)
def test_numbers_that_make_no_sense_are_refused(example_case: Path, option: tuple[str, ...]) -> None:
    done = imgda("plan", example_case, *option)
    assert done.returncode == 2
    assert "error: argument --" in done.stderr


def test_methods_without_coefficients_are_refused(example_case: Path) -> None:
    settings = example_case.with_name("pointwise.toml")
    settings.write_text(example_case.read_text().replace(METHOD, 'method = "pointwise"'))
    done = imgda("plan", settings, "--ranks", "4")
    assert done.returncode == 2
    assert 'error: method "pointwise": plan is for paper and innovation/full' in done.stderr


def test_a_case_whose_result_is_there_can_be_planned_again(example_case: Path, tmp_path: Path) -> None:
    text = demo(example_case, before=FEW)
    settings = settings_file(tmp_path, text, "done")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "manifest.json").touch()
    assert imgda("check", settings).returncode == 0
    done = imgda("plan", settings, "--ranks", "1")
    assert done.returncode == 0, done.stderr
    assert list(rows(done)) == [1]
