"""What a run of cycles does where an observed image is missing, late, or cannot be used."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cycles import SIX, cycles, imgda, setup2014
from runs import START, make_run

from imgda_mpi.cycling import assimilation
from imgda_mpi.cycling.assimilation import WithoutObservation, assimilate
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.faults import NO_OBSERVATION, InputError
from imgda_mpi.parallel.team import Alone
from imgda_mpi.results.run_folder import PASSED, Cycle

WINDOW = Window(START, START + SIX, True)
HOURS = timedelta(hours=3)
A_MOMENT = timedelta(seconds=0.2)


class OfText:
    """Makes analyses of images that are a text."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "image"
        self.n_asked = 0

    def image(self, window: Window) -> Path:
        return self.path

    def analyse(self, folder: Path, background: Sequence[Path], window: Window) -> None:
        self.n_asked += 1
        if not self.path.exists() or self.path.read_text() != "whole":
            error = InputError(f"{self.path}: no image")
            error.status = NO_OBSERVATION
            raise error
        (folder / "analysis").mkdir()


@pytest.fixture
def analyst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfText:
    monkeypatch.setattr(assimilation, "BETWEEN_LOOKS", 0.02)
    return OfText(tmp_path)


def run(analyst: OfText, do: str, wait: timedelta = HOURS, done: Sequence[Cycle] = ()) -> str:
    """What came of it: an analysis or the note that there is none."""
    folder = analyst.path.parent
    assimilate(analyst, folder, [], WINDOW, WithoutObservation(do, wait), done, Alone())  # type: ignore[arg-type]
    return (folder / PASSED).read_text() if (folder / PASSED).exists() else "analysis"


@pytest.fixture
def after_an_analysis(tmp_path: Path) -> Sequence[Cycle]:
    return make_run(tmp_path / "run").cycles()


def test_a_missing_image_is_passed_over_or_stops(analyst: OfText) -> None:
    assert run(analyst, "pass") == f"{analyst.path}: no image\n"
    with pytest.raises(InputError, match="no image") as raised:
        run(analyst, "stop")
    assert raised.value.status == NO_OBSERVATION


def test_an_image_that_cannot_be_used_is_passed_over_only_after_one_that_was(
    analyst: OfText, after_an_analysis: Sequence[Cycle]
) -> None:
    analyst.path.write_text("")
    with pytest.raises(InputError, match="no image"):
        run(analyst, "pass")
    with pytest.raises(InputError, match="no image"):
        run(analyst, "wait", A_MOMENT)
    assert "no image" in run(analyst, "pass", done=after_an_analysis[:2])
    # The cycle after the analysis has none either, though its image is there.
    with pytest.raises(InputError, match="it is not passed over"):
        run(analyst, "pass", done=after_an_analysis)


@pytest.mark.parametrize("before", [None, "", "half"])
def test_an_image_that_comes_or_becomes_whole_while_it_is_waited_for_is_used(
    analyst: OfText, before: str | None
) -> None:
    if before is not None:
        analyst.path.write_text(before)
    arrival = threading.Timer(0.2, lambda: analyst.path.write_text("whole"))
    arrival.start()
    assert run(analyst, "wait") == "analysis"
    arrival.join()
    assert analyst.n_asked >= 2


def test_waiting_has_a_limit_which_counts_once(analyst: OfText) -> None:
    assert "no image" in run(analyst, "wait", A_MOMENT)
    assert "no image" in run(analyst, "wait", HOURS)


def test_an_image_that_has_come_since_it_was_passed_over_is_used(analyst: OfText) -> None:
    assert "no image" in run(analyst, "pass")
    analyst.path.write_text("whole")
    assert run(analyst, "pass") == "analysis"


def test_a_run_goes_on_from_backgrounds_and_counts_what_it_passed_over(tmp_path: Path) -> None:
    setup = setup2014(tmp_path, 4)
    empty, missing, cut = (setup.image(setup.case.start + number * SIX) for number in (1, 2, 3))
    missing.unlink()
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:5000])
    settings = setup.settings(n=4)
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no analysis: ") == 3
    first, *others = (cycle.record for cycle in cycles(tmp_path / "run"))
    assert first.analysis is not None
    for record, image in zip(others, (empty, missing, cut), strict=True):
        assert record.analysis is None
        assert str(image) in record.reasons[0]
        assert record.as_origin.digest == record.background.digest
    status = json.loads(imgda("status", settings, "--json").stdout)
    assert (status["analyses"], len(status["passed_over"])) == (1, 3)
    assert "no such file" in status["passed_over"][1]["reason"]
    assert "analyses    1, 3 passed over" in imgda("status", settings).stdout


def test_a_first_image_that_cannot_be_used_stops_the_run(tmp_path: Path) -> None:
    setup = setup2014(tmp_path, 1)
    setup.image(setup.case.start).write_bytes(b"no NetCDF")
    done = imgda("cycle", setup.settings(n=1))
    assert (done.returncode, done.stderr.count("error: ")) == (NO_OBSERVATION, 1)
    assert cycles(tmp_path / "run") == []
