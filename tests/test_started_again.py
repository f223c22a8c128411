"""A verb that is started again where its whole result is, as after a job that was killed when that had its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import netCDF4
import numpy as np
import pytest
from column_cases import START, part_of_demo, settings_of, write_weather
from image_files import write_grid
from mpi4py import MPI
from runs import make_cycle, make_run
from test_verify import SETTINGS as VERIFICATION
from test_verify import write_product
from triples_made import Maker

from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.faults import OutputError
from imgda_mpi.grid import global_grid
from imgda_mpi.results.kept_draws import KeptDraws
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.errors import ErrorEstimate
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.verify import Verification
from imgda_mpi.workflow.columns import columns
from imgda_mpi.workflow.compare import compare, remove_draws
from imgda_mpi.workflow.done import done
from imgda_mpi.workflow.errors import errors
from imgda_mpi.workflow.output import into_new
from imgda_mpi.workflow.verify import verify

SELF = MPI.COMM_SELF

pytestmark = [pytest.mark.restart_io, pytest.mark.filterwarnings("ignore:h5py is running")]

GRID = global_grid((64, 128))
TIMES = "times = [2022-06-02T06:00:00Z, 2022-06-03T06:00:00Z]\ngrid = [64, 128]\n"
RESULT = '[output]\ndirectory = "result"\n'


def write_images(folder: Path, names: tuple[str, ...], day: int) -> None:
    """Images of a day, and no other."""
    for name, image in zip(names, Maker(GRID).triple(0.5, np.random.default_rng(3))[0], strict=False):
        with netCDF4.Dataset(folder / f"{name}_0{day}.nc", "w") as file:
            write_grid(file, GRID)
            file.createVariable("sm", "f8", ("lat", "lon"))[:] = image
            file["sm"].units = "m3 m-3"


def of_images(names: tuple[str, ...], before: str = "") -> Callable[[Path], object]:
    """Settings of images at two times, of which one has files."""
    sections = "".join(
        f'[{name}]\nkind = "cf"\nfile = "{name}_%d.nc"\nvariable = "sm"\nmax_time_offset = inf\n' for name in names
    )

    def make(folder: Path) -> None:
        write_images(folder, names, 2)
        (folder / "case.toml").write_text(before + TIMES + sections + RESULT)

    return make


def of_runs(folder: Path) -> None:
    make_run(folder / "control")
    make_run(folder / "other")
    write_product(folder / "product.nc", [0, 3, 6, 9, 12])
    (folder / "case.toml").write_text(VERIFICATION)


def of_columns(folder: Path) -> None:
    grid = open_restart(folder / "case", "demo", START, 2005, SELF).patches.grid
    write_weather(folder / "weather_2022.nc", grid, START, range(4))
    weather = '[weather]\nkind = "files"\nfiles = ["weather_%Y.nc"]\n'
    settings_of(folder / "case", folder / "result", hours=2, more=weather)


def touch(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes())


def empty(folder: Path) -> None:
    next(folder.glob("*.nc")).write_bytes(b"")


def another_cycle(folder: Path) -> None:
    run = open_run(folder / "other")
    make_cycle(run, SELF, begin=24, end=30, origin=run.cycles()[-1].record.as_origin)


class Made(NamedTuple):
    """A verb, its settings, and what is then another result, with what is said of it."""

    kind: type[Section]
    verb: Callable[[Any, MPI.Intracomm], object]
    make: Callable[[Path], object]
    other_settings: tuple[str, str]
    other_inputs: dict[str, Callable[[Path], object]]
    output: str


PAIR, TRIPLE = ("background", "truth"), ("background", "observation", "third")
VERBS = {
    "errors": Made(
        ErrorEstimate,
        into_new(errors),
        of_images(TRIPLE),
        ("[64, 128]", "[32, 64]"),
        {
            "no {}/third_02.nc": lambda folder: (folder / "third_02.nc").unlink(),
            "other files {}/background_%d.nc": lambda folder: write_images(folder, TRIPLE, 3),
        },
        "errors.toml",
    ),
    "compare": Made(
        Comparison,
        into_new(compare, remove_draws),
        of_images(PAIR, 'methods = ["none", "pointwise"]\nnoise = 0.1\nseeds = 2\n'),
        ("seeds = 2", "seeds = 3"),
        {
            "another {}/truth_02.nc": lambda folder: (folder / "truth_02.nc").write_bytes(b""),
            "other files {}/background_%d.nc": lambda folder: write_images(folder, PAIR, 3),
        },
        "table.txt",
    ),
    "verify": Made(
        Verification,
        into_new(verify),
        of_runs,
        ("innovations = false", "innovations = false\nlayers = [[0.0, 0.1]]"),
        {
            "other files {}/product.nc": lambda folder: touch(folder, "product.nc"),
            "other files {}/other/cycles/*/cycle.json": another_cycle,
        },
        "verification.txt",
    ),
    "columns": Made(
        ColumnsRun,
        into_new(columns),
        of_columns,
        ("[run]", "[run]\nrestart_every = 1"),
        {
            "other files {}/weather_%Y.nc": lambda folder: touch(folder, "weather_2022.nc"),
            "another {}/case/restart/": lambda folder: empty(folder / "case/restart/const"),
        },
        "cycles/20220602T06/history/history.nc",
    ),
}


@pytest.fixture(scope="module", params=VERBS)
def made(request: pytest.FixtureRequest, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a verb's settings and inputs with its result, as one leaves it that is killed at its end."""
    folder = tmp_path_factory.mktemp("again") / request.param
    folder.mkdir()
    if request.param == "columns":
        part_of_demo(example_case, folder / "case")
    verb = VERBS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeptDraws, "remove", lambda _: None)
        verb.make(folder)
        started(folder)
    return folder


def started(folder: Path) -> object:
    """What a verb says that is started."""
    verb = VERBS[folder.name]
    return verb.verb(read_settings(settings_in(folder), verb.kind), SELF)


def state(folder: Path) -> dict[Path, int]:
    """Files that are there, but for draws of a comparison, and when they were written."""
    every = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "result.draws")
    return {path: path.stat().st_mtime_ns for path in every}


def settings_in(folder: Path) -> Path:
    (path,) = folder.glob("*.toml")
    return path


def asked(folder: Path) -> bool:
    section = read_settings(settings_in(folder), VERBS[folder.name].kind)
    return done(section, folder / "result")


def test_it_has_nothing_to_do(made: Path) -> None:
    before = state(made)
    assert (made / "result.draws").exists() == (made.name == "compare")
    assert started(made) == f"nothing to do: the whole result is there already, in {made / 'result'}"
    assert state(made) == before
    assert not (made / "result.draws").exists()


def test_a_result_that_is_another_or_not_whole_is_refused(made: Path) -> None:
    verb, settings = VERBS[made.name], settings_in(made)
    text, output = settings.read_text(), made / "result" / verb.output
    assert asked(made)
    settings.write_text(text.replace(*verb.other_settings))
    with pytest.raises(OutputError, match=r"found another result: .* there and .* here"):
        asked(made)
    settings.write_text(text)
    kept = output.rename(made / "kept")
    with pytest.raises(OutputError, match=f"found a result that is not whole any more: no {verb.output}"):
        asked(made)
    kept.rename(output)
    assert asked(made)
    for said, change in verb.other_inputs.items():
        change(made)
        with pytest.raises(OutputError) as caught:
            asked(made)
        assert "found the result of other inputs: " in str(caught.value)
        assert said.format(made) in str(caught.value)


def test_a_folder_of_draws_whose_job_was_killed_at_once_is_taken(tmp_path: Path) -> None:
    kept = KeptDraws(tmp_path / "result", "abc")
    kept.folder.mkdir()
    (kept.folder / ".digest.partial-17").touch()
    assert kept.open() == []
    left, other = (tmp_path / f".removed-result.draws{name}-12345678" for name in ("", "-2"))
    for folder in (left, other):
        folder.mkdir()
    kept.remove()
    assert [*tmp_path.iterdir()] == [other]
    kept.folder.mkdir()
    (kept.folder / "notes.txt").touch()
    with pytest.raises(OutputError, match=r"result.draws: found something else"):
        kept.open()
