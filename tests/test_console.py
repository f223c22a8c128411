"""What a run says of how far it is."""

from __future__ import annotations

import logging

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
