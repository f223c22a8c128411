"""Fig. 2 of the paper: the flow of what a run did, with its own numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from imgda_mpi.report.corrected_scales import GAIN, by_scale
from imgda_mpi.report.followed_features import followed
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.picture import Numbers, Picture, Section
from imgda_mpi.report.theme import DOTS_PER_INCH, MINUS, NORMAL, SMALL, UNIT, moment
from imgda_mpi.report.water import MM, applied, steps
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis

HEIGHT = 4.7
"""Of the picture, inches."""

SIDE, WIDE, TALL, STEP = 0.15, 2.2, 1.34, 2.5
"""Inches: margin, width and height of a box, and from one to the next."""

COLOURS = {"model": ("#dcecf7", "#0072b2"), "observation": ("#fdebd2", "#b06f00"), "method": ("#e3f2e8", "#007a57")}
"""Of boxes and their edges, by what they are of."""

IN_INCH = 15.5
"""Letters of a line."""


@dataclass(frozen=True)
class Said:
    """A number in a box: what it is, and the line in which it is said."""

    name: str
    value: float
    unit: str
    line: str


@dataclass(frozen=True)
class Step:
    """A box of the flow: left, bottom, width and height in inches; lines with numbers and without."""

    title: str
    of: str
    place: tuple[float, float, float, float]
    lines: Sequence[Said | str]


def flow_section(material: Material) -> Section | str:
    """The flow of every run with analyses, or of the analysis alone."""
    flows = [flow_picture(ran) for ran in material.assimilations]
    if not flows:
        return "there is no analysis in what was given"
    return Section(pictures=flows) if len(flows) == 1 else Section(steps=flows)


def flow_picture(ran: Ran) -> Picture:
    """Boxes and arrows from the observation to the model and back."""
    steps = steps_of(ran)
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    for step in steps:
        _draw_step(axes, step)
    _draw_arrows(axes, is_loop=ran.run is not None)
    accounts, method = ran.accounts, ran.accounts[0].method
    means = f"means over {len(accounts)} analyses" if len(accounts) > 1 else moment(accounts[0].time)
    title = f"{ran.name}: {method}, {means}"
    figure.text(SIDE / WIDTH, 1 - 0.1 / HEIGHT, title, fontsize=NORMAL + 1.5, va="top")
    said = [(step.title, one) for step in steps for one in step.lines if isinstance(one, Said)]
    water = next(one.line for _, one in said if one.name == "applied")
    return Picture(
        name=f"flow_{ran.name}",
        figure=figure,
        numbers=Numbers(
            {
                "box": [title for title, _ in said],
                "quantity": [one.name for _, one in said],
                "value": [one.value for _, one in said],
                "unit": [one.unit for _, one in said],
            }
        ),
        alt=f"Boxes and arrows: the flow of {ran.name} from observation and background over innovation and gain "
        f"to the soil, {water}.",
        caption=f"What {ran.name} did ({method}), {means}: observation and background make the innovation, errors of "
        "both the gain, and the increment goes into the soil as far as frozen layers and bounds let it, from where the "
        "model goes on.",
        is_papers=True,
        label=ran.name,
    )


def steps_of(ran: Ran) -> list[Step]:
    """The boxes of a run, or of an analysis alone: numbers are means over its analyses."""
    accounts = ran.accounts
    upper, lower, foot = HEIGHT - 0.5 - TALL, HEIGHT - 0.85 - 2 * TALL, 0.15
    columns = [SIDE + number * STEP for number in range(4)]
    curvelets = [one for one in accounts if one.wedges is not None]
    grid = read_analysis(ran.analyses[0] / DIAGNOSTICS).grid
    scales = [by_scale(one, grid) for one in curvelets]
    return [
        Step("Observation", "observation", (columns[0], upper, WIDE, TALL), _observation(accounts)),
        Step("Background", "model", (columns[0], lower, WIDE, TALL), _background(ran, grid.shape)),
        Step("Innovation", "method", (columns[1], upper, WIDE, TALL), _innovation(accounts, scales)),
        Step("Transform", "method", (columns[2], upper, WIDE, TALL), _transform(curvelets)),
        Step("Errors", "method", (columns[1], lower, WIDE + STEP, TALL), _errors(accounts)),
        Step("Gain and increment", "method", (columns[3], upper, WIDE, TALL), _gain(accounts, scales)),
        Step("Soil", "model", (columns[3], lower, WIDE, TALL), _soil(accounts)),
        Step("Model", "model", (columns[0], foot, WIDTH - 2 * SIDE, 0.78), _model(ran)),
    ]


def _mean(accounts: Sequence[Account], of: Callable[[Account], float], name: str, unit: str, line: str) -> Said:
    """A mean over analyses; the line has a place for it, and no hyphen."""
    value = float(np.mean([of(one) for one in accounts]))
    return Said(name, value, unit, line.format(value).replace("-", MINUS))


def _fact(accounts: Sequence[Account], fact: str, name: str, line: str) -> list[Said]:
    """The mean of a number that the method found; none where it found none."""
    known = [one for one in accounts if fact in one.facts]
    return [_mean(known, lambda one: one.facts[fact].value, name, known[0].facts[fact].unit, line)] if known else []


def _observation(accounts: Sequence[Account]) -> list[Said | str]:
    seen = [one for one in accounts if one.pixels]
    if not seen:
        return ["none"]
    kind = (accounts[0].settings.get("observation") or {}).get("kind", "an image")
    return [
        f"{kind}, at {len(seen)} of {len(accounts)} analyses" if len(accounts) > 1 else str(kind),
        _mean(seen, lambda one: one.pixels["source pixels"], "pixels", "1", "{:.0f} pixels"),
        _mean(seen, lambda one: one.pixels["used"], "used", "1", "{:.0f} of them used"),
        _mean(seen, _not_there, "missing", "1", "{:.0f} missing, or of no soil"),
        _mean(seen, _rejected, "rejected", "1", "{:.0f} rejected"),
        _mean(seen, lambda one: one.pixels["cells observed"], "cells observed", "1", "{:.0f} cells with a value"),
    ]


def _not_there(account: Account) -> int:
    """Pixels without a value, or in no cell with soil."""
    return account.pixels.get("missing", 0) + account.pixels.get("not used", 0)


def _rejected(account: Account) -> int:
    """Pixels with a value that was not let in."""
    return sum(account.pixels.get(reason, 0) for reason in ("masked", "below range", "above range"))


def _background(ran: Ran, shape: tuple[int, int]) -> list[Said | str]:
    first = ran.accounts[0]
    what = first.restart if ran.run is None else ran.run.description.model
    cells = Said("rows", shape[0], "1", f"image of {shape[0]} rows")
    return [what, cells, Said("columns", shape[1], "1", f"and {shape[1]} columns, 0-10 cm")]


def _innovation(accounts: Sequence[Account], scales: Sequence[Any]) -> list[Said | str]:
    lines: list[Said | str] = [f"observation {MINUS} background"]
    if scales:
        roots = [float(np.sqrt(np.square(one["innovation"]).sum())) for one in scales]
        value = float(np.mean(roots))
        lines.append(Said("root mean square", value, "m3 m-3", f"root mean square {value:.3f} {UNIT}"))
    return lines + _fact(accounts, "innovation_mean", "mean", f"mean {{:+.3f}} {UNIT}")


def _transform(curvelets: Sequence[Account]) -> list[Said | str]:
    if not curvelets:
        return ["none: cells are corrected as they are"]
    return [
        "curvelets",
        _mean(curvelets, lambda one: _wedges(one).max(), "scales", "1", "{:.0f} scales"),
        _mean(curvelets, lambda one: _wedges(one).size, "wedges", "1", "{:.0f} wedges"),
        f"corrected: {curvelets[0].labels.get('scales', 'all')}",
    ]


def _wedges(account: Account) -> Any:
    """Scales of its wedges."""
    return np.zeros(0) if account.wedges is None else account.wedges.scale


def _errors(accounts: Sequence[Account]) -> list[Said | str]:
    method, errors = accounts[0].settings["method"], accounts[0].settings["errors"]
    model = accounts[0].labels.get("error_model")
    lines: list[Said | str] = [f"error model: {model}" if model else f"as the method {accounts[0].method} has them"]
    if of_features := followed(accounts[0])[:-1]:
        lines.append(f"features of the cells: {', '.join(of_features)}")
    if "n_members" in method:
        n = method["n_members"]
        lines.append(Said("members", n, "1", f"{n} perturbed members of the background, {n} of the observation"))
    for name, found, what in (
        ("s_b", method.get("background_error"), "background"),
        ("s_o", errors["observation"], "observation, as set"),
    ):
        if isinstance(found, int | float):
            lines.append(Said(name, found, "m3 m-3", f"{name} = {found:g} {UNIT} ({what})"))
        elif found is not None:
            lines.append(f"{name} is a field ({what})")
    white = f"{{:.3f}} {UNIT}: white errors of the observation, as used"
    share = "{:.3f} of what is coherent in the innovation is the observation's"
    lines += _fact(accounts, "white_observation_error", "white_observation_error", white)
    return lines + _fact(accounts, "coherent_share", "coherent_share", share)


def _gain(accounts: Sequence[Account], scales: Sequence[Any]) -> list[Said | str]:
    solver = accounts[0].labels.get("solver")
    lines: list[Said | str] = [f"solver: {solver}" if solver else f"of the method {accounts[0].method}"]
    if scales:
        gains = np.mean([one[GAIN] for one in scales], axis=0)
        for name, value in (("least", gains.min()), ("largest", gains.max())):
            lines.append(Said(f"{name} gain", float(value), "1", f"{name} gain of a scale {value:.2f}"))
        power = float(np.mean([np.sqrt(np.square(one["increment"]).sum()) for one in scales]))
        lines.append(Said("increment", power, "m3 m-3", f"increment {power:.3f} {UNIT} (root mean square)"))
    return lines + _fact(accounts, "solver_iterations", "iterations", "{:.3g} iterations")


def _soil(accounts: Sequence[Account]) -> list[Said | str]:
    terms: Sequence[tuple[str, Callable[[Account], float], str]] = (
        ("requested", lambda one: steps(one)["requested"], f"{{:+.3f}} {MM} asked for"),
        ("withheld", lambda one: steps(one)["frozen"], f"{{:+.3f}} {MM} frozen ground"),
        ("refused", lambda one: steps(one)["clamped"], f"{{:+.3f}} {MM} bounds"),
        ("applied", applied, f"{{:+.3f}} {MM} into the soil"),
    )
    lines: list[Said | str] = [_mean(accounts, of, name, "kg m-2", line) for name, of, line in terms]
    at_bound = _mean(accounts, lambda one: one.cells["refused"], "cells at bounds", "1", "{:.0f} cells all at bounds")
    return [*lines, at_bound]


def _model(ran: Ran) -> list[Said | str]:
    if ran.run is None:
        return [f"The analysed restart of {moment(ran.times[0])}: the model goes on from it."]
    cycles, what = ran.cycles, ran.run.description
    hours = (cycles[0].record.end - cycles[0].record.time).total_seconds() / 3600
    after = (what.end - ran.times[-1]).total_seconds() / 86400
    return [
        Said("cycles", len(cycles), "1", f"{len(cycles)} cycles, {what.start:%Y-%m-%d} to {what.end:%Y-%m-%d}"),
        Said("analyses", len(ran.analyses), "1", f"{len(ran.analyses)} analyses"),
        Said("window", hours, "h", f"first window of {hours:g} h"),
        Said("forecast", after, "days", f"{after:g} days after the last analysis"),
    ]


def _draw_step(axes: Axes, step: Step) -> None:
    left, bottom, width, height = step.place
    fill, edge = COLOURS[step.of]
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle=style, fc=fill, ec=edge, lw=1.2))
    top = bottom + height
    axes.text(left + 0.1, top - 0.09, step.title, fontsize=NORMAL + 0.5, weight="bold", color=edge, va="top")
    lines = [one.line if isinstance(one, Said) else one for one in step.lines]
    if height < TALL:
        lines = ["; ".join(lines)]
    text = "\n".join(textwrap.fill(line, int(IN_INCH * (width - 0.2))) for line in lines)
    axes.text(left + 0.1, top - 0.34, text, fontsize=SMALL + 0.3, va="top", linespacing=1.32)


def _draw_arrows(axes: Axes, *, is_loop: bool) -> None:
    """Between the boxes as `steps_of` places them."""
    upper, lower = HEIGHT - 0.5 - TALL / 2, HEIGHT - 0.85 - 1.5 * TALL
    right = SIDE + WIDE
    arrows = [((right + number * STEP, upper), (SIDE + (number + 1) * STEP, upper)) for number in range(3)]
    arrows += [
        ((right, lower + TALL / 2 - 0.1), (SIDE + STEP, upper - TALL / 2 + 0.1)),
        ((right + 2 * STEP, lower + TALL / 2 - 0.1), (SIDE + 3 * STEP, upper - TALL / 2 + 0.1)),
        ((SIDE + 3 * STEP + WIDE / 2, upper - TALL / 2), (SIDE + 3 * STEP + WIDE / 2, lower + TALL / 2)),
        ((SIDE + 3 * STEP + WIDE / 2, lower - TALL / 2), (SIDE + 3 * STEP + WIDE / 2, 0.15 + 0.78)),
    ]
    if is_loop:
        arrows.append(((SIDE + WIDE / 2, 0.15 + 0.78), (SIDE + WIDE / 2, lower - TALL / 2)))
    for start, end in arrows:
        axes.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "color": "#333333", "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
        )
