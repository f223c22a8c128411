"""What a run says of how far it is."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from imgda_mpi import console


def test_a_log_has_few_lines_of_a_long_run_each_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO, "imgda_mpi"):
        for _ in console.progress(range(1000), "draws", speaks=True):
            now += 20.0
        for _ in console.progress(range(1000), "draws", speaks=False):
            now += 20.0
    lines = caplog.messages
    assert lines[0] == "draws: 2 of 1000 rounds, about 5 h 32 min left"
    assert 20 < len(lines) < 60
    assert lines[-1].endswith("left")


def test_what_was_done_before_counts_and_has_no_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO, "imgda_mpi"):
        for _ in console.progress(range(5), "paper", speaks=True, unit="cycles", done=7):
            now += 31.0
    assert caplog.messages[0] == "paper: 8 of 12 cycles, about 2 min 4 s left"


class Screen(logging.Handler):
    """What a user sees."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_a_warning_is_said_once_at_the_end_whatever_its_numbers_and_all_is_in_files(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    package, screen = logging.getLogger("imgda_mpi"), Screen()
    monkeypatch.setattr(package, "handlers", [screen])
    monkeypatch.setattr(package, "propagate", False)
    caplog.set_level(logging.INFO, "imgda_mpi")
    log = logging.getLogger("imgda_mpi.somewhere")
    said = console.Repeated("paper", "analyses")
    for number in range(4):
        with said.piece(tmp_path / f"{number}.txt"):
            log.info("increment of %d", number)
            for _ in range(2):
                log.warning("a.A2022060%d.0600.nc: bias of %+.3f, within 1e-%02d", number, number - 1.5, number)
            if number == 3:
                log.warning("few members")
    assert screen.lines == []
    said.say()
    assert screen.lines == [
        "paper, 4 of 4 analyses, the first time: a.A20220600.0600.nc: bias of -1.500, within 1e-00",
        "paper, 1 of 4 analyses, the first time: few members",
    ]
    line = "warning: a.A20220602.0600.nc: bias of +0.500, within 1e-02\n"
    assert (tmp_path / "2.txt").read_text() == f"increment of 2\n{2 * line}"


def test_an_error_ends_a_piece_and_the_screen_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    package, screen = logging.getLogger("imgda_mpi"), Screen()
    monkeypatch.setattr(package, "handlers", [screen])
    with pytest.raises(ValueError, match="no image"), console.Repeated("paper", "analyses").piece(None):
        raise ValueError("no image")
    assert package.handlers == [screen]
