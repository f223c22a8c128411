"""What the increments of analyses follow: features of the cells, as their moisture, or distance and direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imgda_mpi.report.maps import Panel, change_shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section, Table
from imgda_mpi.report.theme import MINUS, UNIT, letter, moment
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis, read_parts

PART = "increment_part_"
"""Of facts, before the name of what an increment follows."""

OF_FEATURES = ("feature_", "increment_rms_", PART)
"""How the names of facts about features begin."""

LITTLE = 0.01
"""Part of an increment below which a group is not named in the sentence."""

REST = "distance"
"""Name of what no features carry."""


def features_section(material: Material) -> Section | str:
    """Parts of the increment of the analysis that is shown alone, and their means over its run.

    Where its method knows of no features, of the last run whose method does.
    """
    if material.shown is None:
        return "there is no analysis in what was given"
    for ran in reversed(material.assimilations):
        shown = material.shown_of(ran)
        if shown is not None and followed(shown[1]):
            of_run = [account for account in ran.accounts if followed(account)]
            return _section(*shown, of_run if len(of_run) > 1 else [])
    account = material.shown[1]
    asked = "gain_by_features" in account.facts
    return (
        f"errors of the analysis of {moment(account.time)} ({account.method}) have no part on features of the cells"
        + (", with which cells that were held back were not likelier" if asked else "")
    )


def followed(account: Account) -> list[str]:
    """Names of what the increment of an analysis follows, `REST` last; none where its method knows of no features."""
    names = [name.removeprefix(PART) for name in account.facts if name.startswith(PART)]
    return sorted(names, key=lambda name: name == REST)


def _section(folder: Path, account: Account, of_run: Sequence[Account]) -> Section:
    parts = {name: account.facts[f"{PART}{name}"].value for name in followed(account)}
    by_features = 1 - parts[REST]
    text = f"In the analysis of {moment(account.time)} ({account.method}) "
    if np.isfinite(by_features):
        most = max((name for name in parts if name != REST), key=lambda name: parts[name])
        text += (
            f"{_percent(by_features)} of the increment follows features of the cells, wherever they lie"
            + (f", above all their {most} ({_percent(parts[most])})" if parts[most] >= LITTLE else "")
            + f". {_percent(parts[REST])} follows {_title(REST, account)}."
        )
    else:
        text += "nothing was corrected."
    return Section(text=[text], tables=[_table(account, of_run)], pictures=[_picture(folder, account)])


def _table(account: Account, of_run: Sequence[Account]) -> Table:
    """A line for each group of features, and one for the rest."""

    def number(name: str, style: str) -> str:
        return format(account.facts[name].value, style) if name in account.facts else ""

    means = [f"mean part of {len(of_run)} analyses"] if of_run else []
    rows = [["follows", "part", *means, "RMS of the part", "SD of the signal", "features"]]
    for name in followed(account):
        values = [one.facts[f"{PART}{name}"].value for one in of_run if f"{PART}{name}" in one.facts]
        corrected = [value for value in values if np.isfinite(value)]
        rows.append(
            [
                _title(name, account),
                _percent(account.facts[f"{PART}{name}"].value),
                *([_percent(float(np.mean(corrected)) if corrected else float("nan"))] if of_run else []),
                number(f"increment_rms_{name}", ".4f"),
                number(f"feature_sd_{name}", ".4f"),
                number(f"feature_count_{name}", "d"),
            ]
        )
    caption = (
        f"What the increment of {moment(account.time)} follows. Parts are projections on it, which add up to "
        "100 %; one that is against the increment is below 0. Root "
        f"mean squares of the parts, and standard deviations of the signal in the innovation, over the land, {UNIT}."
    )
    return Table(caption, rows)


def _picture(folder: Path, account: Account) -> Picture:
    """Maps of the parts, in the same colours."""
    saved, parts = read_analysis(folder / DIAGNOSTICS), read_parts(folder / DIAGNOSTICS)
    shades = change_shades("Part of the increment", *parts.values())
    panels = [
        Panel(
            title=f"({letter(number)}) {_heading(_title(name, account))}",
            image=image,
            shades=shades,
            column=f"by_{name}_m3_m-3",
        )
        for number, (name, image) in enumerate(parts.items())
    ]
    sizes = {name: float(np.sqrt(np.nanmean(np.square(image)))) for name, image in parts.items()}
    said = ", ".join(f"{_title(name, account)} {size:.3f}" for name, size in sizes.items())
    return Picture(
        name="features",
        figure=draw_maps(saved.grid, np.isfinite(saved.background), panels, 2),
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"{len(panels)} maps of what the increment follows, root mean squares in {UNIT}: {said}.",
        caption=f"What the increment of {moment(account.time)} ({account.method}) follows, before bounds and frozen "
        f"ground, {UNIT}: each map is its part by one group of features of the cells, the last one the rest; their sum "
        "is the increment.",
    )


def _title(name: str, account: Account) -> str:
    if name != REST:
        return name
    return "distance, direction and members" if account.method == "hybrid/full" else "distance and direction"


def _heading(title: str) -> str:
    """With a capital first; names keep theirs.

    >>> _heading("soil_BD")
    'Soil_BD'
    """
    return title[:1].upper() + title[1:]


def _percent(part: float) -> str:
    """A part of 1 in words.

    >>> _percent(0.254)
    '25 %'
    """
    return "-" if np.isnan(part) else f"{round(100 * part)} %".replace("-", MINUS)
