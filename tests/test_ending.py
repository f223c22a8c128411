"""The end of a run by a signal: whatever it comes into, the status says that the same command goes on."""

from __future__ import annotations

import io
import logging
import os
import signal
from pathlib import Path

import f90nml
import pytest

from imgda_mpi.colm.namelist import read_group
from imgda_mpi.cycling.ending import ended_by_signals
from imgda_mpi.faults import LostError, OutOfTime, settled_by


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 3), (signal.SIGUSR1, 3), (signal.SIGINT, 130)])
def test_a_signal_while_settings_are_tried_is_no_fault_of_theirs(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with (
        pytest.raises(OutOfTime, match=rf"^ended by {number.name}: run this again to go on$") as raised,
        ended_by_signals(),
        settled_by("[model]"),
    ):
        os.kill(os.getpid(), number)
    assert raised.value.status == status
    assert signal.getsignal(number) == before


def test_a_signal_while_a_namelist_is_read_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "case.nml").write_text("&nl_colm\n/\n")
    monkeypatch.setattr(f90nml.Parser, "reads", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(OutOfTime, match=r"^ended by SIGTERM"), ended_by_signals():
        read_group(tmp_path / "case.nml", "nl_colm")


class _Stream(io.StringIO):
    """A signal comes while something is written."""

    def write(self, text: str) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


def test_a_signal_while_something_is_said_ends_the_run_though_logging_goes_on_after_errors() -> None:
    log = logging.getLogger("tests.ending")
    log.propagate = False
    log.addHandler(handler := logging.StreamHandler(_Stream()))
    with pytest.raises(OutOfTime, match=r"^ended by SIGTERM"), ended_by_signals():
        log.warning("half way")
    log.removeHandler(handler)


def test_a_lost_process_is_no_fault_of_the_settings() -> None:
    with pytest.raises(LostError, match=r"^a rank$") as raised, settled_by("[weather]"):
        raise LostError("a rank")
    assert raised.value.status == 4
