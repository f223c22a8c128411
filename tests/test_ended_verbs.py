"""Verbs that are killed at any of their changes of a folder, and started again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from column_cases import part_of_demo
from launch import ROOT, python
from test_started_again import VERBS, settings_in

N_ENDS = 3
"""Of each verb; all of its changes were tried with a number beyond."""


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_was_killed_is_done_when_it_is_started_again(verb: str, example_case: Path, tmp_path: Path) -> None:
    if verb == "columns":
        part_of_demo(example_case, tmp_path / "case")
    VERBS[verb].make(tmp_path)
    done = python(str(ROOT / "tests/ended_at.py"), str(tmp_path), str(N_ENDS), verb, str(settings_in(tmp_path)))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ends"][0] == 1
    assert found["ends"][-1] == found["changes"] > 5
    assert found["faults"] == []
