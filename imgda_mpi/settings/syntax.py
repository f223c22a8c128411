"""What is wrong with a text that is no TOML: the line as it stands there, and how it would be written."""

from __future__ import annotations

import re

LONGEST = 60  # characters of a line that are shown

TO_DO = {
    r"Cannot declare|Cannot overwrite|Cannot mutate": "a section or key stands once: put the two together",
    r"Expected '='": "write each key as key = value, and sections as [section]",
    r"hex value|Unescaped '\\'": "write paths with /, or in single quotes",
    r"Invalid date": "correct the date",
    r"Invalid initial character for a key part": "a section in { } is on one line; or write it as [section]",
}
"""By what the parser says."""

OTHERWISE = (
    'write text and paths in straight quotes ("gldas"), numbers alone, without unit and with a point (0.02), times as '
    "2022-06-02T06:00:00Z, lists as [0, 1], true in small letters, and nothing after a value but # and a remark"
)


def not_toml(error: str, text: str) -> str:
    """What the parser says of a text, with the line that it is about, and what to do.

    >>> not_toml("Invalid date or datetime (at line 1, column 5)", "a = 2022-02-31")
    'is not valid TOML (Invalid date or datetime (at line 1, column 5)): found `a = 2022-02-31`; correct the date'
    """
    # Keys are said as Python's.
    error = re.sub(r"\(('[^()]*'),?\)", lambda keys: f"[{keys[1].replace(chr(39), '').replace(', ', '.')}]", error)
    at = re.search(r"at line (\d+)", error)
    line = text.split("\n")[int(at[1]) - 1].strip() if at else ""
    found = f": found `{line[:LONGEST]}{'...' * (len(line) > LONGEST)}`" if line else ""
    do = next((do for said, do in TO_DO.items() if re.search(said, error)), OTHERWISE)
    return f"is not valid TOML ({error}){found}; {do}"
