"""What `plan` foresees of a run of cycles, beside what the run takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases import unpacked
from column_cases import part_of_demo
from cycles import Setup, imgda, setup202x, setup2014
from mpi4py import MPI

from imgda_mpi.colm import history202x, run2014
from imgda_mpi.colm.fortran import read_records
from imgda_mpi.faults import InputError
from imgda_mpi.planning.cycles import Amount, CycleStep, Sizes, needs_of
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.plan_cycle import plan_cycle


@pytest.fixture
def site(tmp_path: Path) -> Setup:
    return setup2014(tmp_path, n_images=5)


def plan(settings: Path, *cores: int) -> str:
    return plan_cycle(read_settings(settings, CycleRun), cores, MPI.COMM_SELF)


def amounts(text: str) -> dict[str, tuple[int, float]]:
    """Files and bytes that a plan says."""
    rows = re.findall(r"(?m)^(a cycle|in the end|at most) +(\d+) +([\d.]+)$", text)
    assert len(rows) == 3
    return {name: (int(files), 1e6 * float(size)) for name, files, size in rows}


def there(folder: Path) -> tuple[int, int]:
    """Files, folders and links in a folder and itself, and bytes of the files."""
    every = [folder, *folder.rglob("*")]
    return len(every), sum(path.lstat().st_size for path in every if not path.is_dir())


# Thinned are only four, by what is the same of both models.
@pytest.mark.parametrize(("kind", "n"), [("colm202x", 2), ("colm2014", 4)])
def test_a_run_takes_what_is_foreseen_and_not_much_less(kind: str, n: int, tmp_path: Path, example_case: Path) -> None:
    setup = setup202x(tmp_path, example_case, n) if kind == "colm202x" else setup2014(tmp_path, n)
    settings = setup.settings(n=n, keep="12 h")
    assert imgda("cycle", settings, "--rehearse").returncode == 0
    foreseen = amounts(plan(settings, 1))
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    run = setup.folder / "run"
    for folder in (run / "cycles").iterdir():
        for found, most in zip(there(folder), foreseen["a cycle"], strict=True):
            assert found <= most
    files, size = there(run / "cycles")
    assert foreseen["in the end"][0] - n * 10 <= files <= foreseen["in the end"][0]
    assert size <= foreseen["in the end"][1] <= foreseen["at most"][1]


def test_needs_are_those_of_a_run_that_thins_as_it_goes(rng: np.random.Generator) -> None:
    sizes = Sizes(Amount(3, 100), Amount(5, 7), Amount(0.5, 2), Amount(11, 13), spare=0.25)
    flags = rng.random((30, 3)) < 0.5
    steps = [CycleStep(int(rng.integers(1, 9)), *map(bool, row)) for row in flags]
    needs = needs_of(steps, sizes, 2)
    alone = [there_after(steps[number : number + 1], sizes, whole=1) for number in range(len(steps))]
    assert needs.cycle == Amount(max(one.files for one in alone), max(one.size for one in alone))
    assert needs.end == there_after(steps, sizes, whole=2)
    peaks = [
        there_after(steps[:number], sizes, whole=3) + sizes.restart * (0.25 * steps[number - 1].hours)
        for number in range(1, len(steps) + 1)
    ]
    assert needs.peak == Amount(max(one.files for one in peaks), max(one.size for one in peaks))
    assert needs_of([], sizes, 2).peak == Amount(0, 0)


def there_after(steps: list[CycleStep], sizes: Sizes, *, whole: int) -> Amount:
    """Of cycles of which the last ones have all their sets."""
    total = Amount()
    for number, step in enumerate(steps):
        is_whole = number >= len(steps) - whole
        total += sizes.rest + sizes.history * step.hours + sizes.result * step.is_analysed
        total += sizes.restart * (is_whole or step.keeps_restart)
        total += sizes.restart * (step.is_analysed and (is_whole or step.keeps_analysis))
    return total


def test_core_hours_come_from_a_rehearsal_then_from_the_run(site: Setup) -> None:
    settings = site.settings(n=3, analyses=2)
    first = plan(settings, 4)
    assert first.startswith("2 cycles, 2 analyses, 18 h of the model\n")
    assert "core-hours: not known: `imgda_mpi cycle --rehearse` tells" in first
    assert "history: a guess" in first
    folder = site.folder / "run.rehearsal"
    folder.mkdir()
    record = {"seconds": 40.0, "history_files": 0.5, "history_bytes": 1e9}
    (folder / "rehearsal.json").write_text(json.dumps(record))
    text = plan(settings, 4, 24)
    # 18 hours of the model in 40 s each.
    assert re.search(r"(?m)^cores +hours +core-hours\n +4 +0\.2 +0\.8\n +24 +0\.2 +4\.8$", text)
    assert "as in the rehearsal; analyses are not in it" in text
    assert "history: as in the rehearsal" in text
    assert amounts(text)["in the end"][1] > 18e9
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    text = plan(settings, 1)
    assert re.search(r"an analysis, .* for the rest of a cycle, as in the last cycles of this run$", text)
    assert re.search(r"history: as in the last \d cycles", text)
    assert amounts(text)["in the end"][1] < 18e9


def test_plan_is_a_command(site: Setup) -> None:
    done = imgda("plan", site.settings(), "--ranks", "2,4")
    assert done.returncode == 0, done.stderr
    assert "3 analyses" in done.stdout
    assert amounts(done.stdout)


def test_keeping_more_takes_more(site: Setup) -> None:
    often, seldom = (amounts(plan(site.settings(n=40, analyses=40, keep=length), 1)) for length in ("6 h", "2 days"))
    assert often["a cycle"] == seldom["a cycle"]
    # Two sets of 40 cycles, or those of every eighth and of the last two.
    n_more = 2 * 40 - (10 + 4 - 1)
    assert math.isclose(often["in the end"][0] - seldom["in the end"][0], 2 * n_more, abs_tol=4)
    assert often["in the end"][1] > seldom["in the end"][1]


def test_restarts_on_the_way_of_a_long_window_are_foreseen(site: Setup) -> None:
    text = plan(site.settings(n=120, analyses=1), 1)
    # One window of 30 days with a restart every 3 hours, all but the last of which go.
    found = amounts(text)
    assert found["at most"][0] - found["in the end"][0] == pytest.approx(2 * 240, abs=2)


def test_a_start_that_is_not_there_and_another_run_are_refused(site: Setup, tmp_path: Path) -> None:
    settings = site.settings()
    text = settings.read_text()
    settings.write_text(text.replace("start = 2022-06-04T00", "start = 2022-06-03T00"))
    with pytest.raises(InputError, match=r"S-rstTimeVar-2022-154-00000: found no such file.*\[cycle\] start"):
        plan(settings, 1)
    settings.write_text(text)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json"):
        plan(settings, 1)


def test_soil_columns_are_planned(tmp_path: Path, example_case: Path) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    settings = tmp_path / "columns.toml"
    settings.write_text(
        'method = "none"\n[cycle]\nstart = 2022-06-02T06:00:00Z\nfirst_analysis = 2022-06-02T06:00:00Z\n'
        "last_analysis = 2022-06-02T06:00:00Z\nend = 2022-06-03T06:00:00Z\n"
        f'[model]\nkind = "columns"\ndirectory = "{case}"\ncase = "demo"\n[weather]\nkind = "generated"\n'
        '[output]\ndirectory = "run"\n'
    )
    text = plan(settings, 1)
    assert text.startswith("1 cycles, 0 analyses, 24 h of the model\n")
    assert "history: as soil columns write it" in text
    assert "core-hours: not known before the first cycle is complete" in text


def sizes_of_header(path: Path) -> Iterator[int]:
    """Reals of a cell of all variables in the header of a history."""
    text = path.read_text()
    sizes = {name: int(size) for name, size in re.findall(r"(?m)^\s+(\w+) = (\d+) ;", text)}
    for dimensions in re.findall(r"double \w+\((time, .*lat, lon)\)", text):
        yield math.prod(sizes[name] for name in dimensions.split(", ")[1:-2])


def test_a_guess_of_a_history_is_all_that_the_models_write(shared: Path, tmp_path: Path) -> None:
    header = shared / "colm/colm202x/headers/history_daily_all_variables.txt"
    assert sum(sizes_of_header(header)) == history202x.VALUES_OF_A_CELL
    fluxes = unpacked(shared / "colm/colm2014/EAS/EAS_2D_Fluxes_2022-154-86400.xz", tmp_path)
    lengths = read_records(fluxes).lengths
    n_cells = (lengths[0] // 8) * (lengths[1] // 8)
    # The mask is of integers, and the first two records are coordinates.
    assert sum(lengths[2:]) == 8 * n_cells * run2014.VALUES_OF_A_CELL - 4 * n_cells
    assert fluxes.stat().st_size == pytest.approx(8 * n_cells * run2014.VALUES_OF_A_CELL, rel=0.01)
