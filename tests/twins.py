"""A small twin experiment: 5.6 degrees, four analyses, half a day more."""

from __future__ import annotations

from pathlib import Path

SETTINGS = """\
seed = 1
places = 2

[case]
kind = "embedded"
rows = 32

[cycle]
first_analysis = 2022-06-02T00:00:00Z
last_analysis = 2022-06-02T18:00:00Z
end = 2022-06-03T12:00:00Z

[instrument]
white = 0.03
coherent = 0.02

[variants.paper]
method = {kind = "paper", n_members = 4}

[variants.innovation]
method = "innovation/full"
errors = {observation = 0.04}

[output]
directory = "%s"
"""


def twin_settings(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """The settings file of an experiment in ``folder/name``, with some of its text in the place of other."""
    text = SETTINGS % name
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file
