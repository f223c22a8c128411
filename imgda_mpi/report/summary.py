"""The first part of a page: what was assimilated, what it did, how sure that is, and what to mend; a minute to read."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.observations.image import Layer
from imgda_mpi.report.comparison_pictures import JUDGED_BY
from imgda_mpi.report.innovations_words import sentences
from imgda_mpi.report.material import Curves, Material, Ran
from imgda_mpi.report.mending import to_mend
from imgda_mpi.report.picture import Section, Table
from imgda_mpi.report.score_means import ALL, ASSIMILATION, by_period, mean_score
from imgda_mpi.report.stations_table import paired_words
from imgda_mpi.report.theme import MINUS, UNIT, layer_name, moment, signed
from imgda_mpi.report.water import MM, applied
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedAnalysis, read_analysis
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.scores import before_and_after, change
from imgda_mpi.verify.station_verification import NAMES
from imgda_mpi.verify.status import FIT, INDEPENDENT

END = "end"

WORSE = 0.005
"""Of a bias, m3 m-3, from which on it is named."""

SCORES = (
    "SCC: correlation over the cells; ubRMSE: root mean square error without the bias; bias: run minus what judges. "
    "Cells have equal weight."
)

WHAT, DID, SURE, MEND = "What was assimilated", "What it did", "How sure that is", "What to mend"


def summary_section(material: Material) -> Section:
    """The summary of anything that a page is made of."""
    did, tables = _what_it_did(material)
    return Section(
        terms={
            WHAT: _what(material) or ["Nothing: there is no analysis in what was given."],
            DID: did or ["Nothing that was given says so: there are no scores."],
            SURE: _how_sure(material),
            MEND: to_mend(material) or ["Nothing stands out."],
        },
        tables=tables,
    )


def _what(material: Material) -> list[str]:
    """Of every run with analyses, and of a comparison."""
    alone = [ran for ran in material.assimilations if ran.run is None]
    said = [material.preface] if material.preface else []
    said += [_of_image(ran) for ran in alone]
    methods: dict[str, list[str]] = {}
    for ran in material.assimilations:
        if ran.run is not None:
            first = read_analysis(ran.analyses[0] / DIAGNOSTICS)
            methods.setdefault(_images_of(ran, first), []).append(
                ran.name if ran.name == first.method else f"{ran.name} ({first.method})"
            )
    said += [f"{', '.join(names)}: {images}." for images, names in methods.items()]
    if material.control is not None and said:
        said.append(f"They are held beside {material.control.name}, a run without analyses.")
    comparison = material.comparison
    if comparison is not None:
        what = f"observed images of {np.unique(comparison.times).size} times"
        if comparison.noise:
            what = f"{comparison.case.size} draws of noise {comparison.noise.replace('m3 m-3', UNIT)}"
        by = JUDGED_BY[comparison.judged_by]
        said.append(f"{len(comparison.shown())} methods are compared on {what}, judged by {by}.")
    return said


def _of_image(ran: Ran) -> str:
    """What an analysis alone was given."""
    saved = read_analysis(ran.analyses[0] / DIAGNOSTICS)
    land = np.isfinite(saved.background)
    n_land, n_seen = int(land.sum()), int((land & np.isfinite(saved.observation)).sum())
    source = saved.observation_source.rsplit("/", 1)[-1]
    return (
        f"{source}, which sees {n_seen} of {n_land} cells of soil, into the state of {moment(saved.time)} by "
        f"{saved.method}."
    )


def _images_of(ran: Ran, first: SavedAnalysis) -> str:
    """What a run was given."""
    apart = np.diff([time.timestamp() for time in ran.times]) / 3600
    every = f" every {np.median(apart):g} h" if apart.size else ""
    source = first.observation_source.rsplit("/", 1)[-1]
    since, until = moment(ran.times[0]), moment(ran.times[-1])
    return f"{len(ran.times)} images{every} from {since} to {until}; the first one is {source}"


def _what_it_did(material: Material) -> tuple[list[str], list[Table]]:
    said: list[str] = []
    for ran in material.assimilations:
        if ran.run is None:
            said += _of_analysis(ran, material)
    for curves in material.curves:
        said += _of_curves(curves, material)
    for stations in material.stations:
        said += _of_stations(stations)
    if material.main is not None and material.main.run is not None:
        said.append(_of_water(material.main))
    if material.comparison is not None:
        said += _of_comparison(material)
    tables = [_table(material.curves[0], material)] if material.curves else []
    return said, tables


def _of_analysis(ran: Ran, material: Material) -> list[str]:
    """Size of the increment, and scores of an analysis alone."""
    saved = read_analysis(ran.analyses[0] / DIAGNOSTICS)
    changed = saved.increment[np.isfinite(saved.increment)]
    if changed.size == 0:
        return [f"{ran.name} has changed nothing."]
    name = "The analysis" if len(material.runs) == 1 else ran.name
    said = [
        f"{name} changes the soil moisture of 0-10 cm by {np.sqrt(np.mean(changed**2)):.3f} {UNIT} (root mean "
        f"square), {signed(changed.mean(), 4)} on average, at most by {np.abs(changed).max():.2f}."
    ]
    references: list[tuple[str, str, FloatArray]] = [("the assimilated image", FIT, saved.observation)]
    if material.truth is not None:
        references.append(("the truth", INDEPENDENT, material.truth))
    for name, status, image in references:
        before, after = before_and_after(saved.background, saved.analysis, image)
        if before.n_cells:
            said.append(
                f"Against {name} ({status}; {before.n_cells} cells of equal weight) the correlation in space goes from "
                f"{change(before.scc, after.scc, '.3f', 'to')}, the ubRMSE from "
                f"{change(before.ubrmse, after.ubrmse, '.4f', 'to')} {UNIT}, the bias from "
                f"{change(before.bias, after.bias, '+.4f', 'to').replace('-', MINUS)} {UNIT}."
            )
    return said


def _of_curves(curves: Curves, material: Material) -> list[str]:
    """Scores of the shown run beside the control, in the uppermost layer: while images come, and at the end."""
    runs = _runs_of(curves, material)
    layers = list(dict.fromkeys(row.layer for row in curves.rows))
    if not runs or not layers:
        return []
    main, layer = material.main, layers[0]
    shown = main.name if main is not None and main.name in runs else runs[-1]
    during, at_end = (_means(curves, shown, layer, material, which) for which in (ASSIMILATION, END))
    beside = next((run for run in runs if run != shown), None)
    where = f"Against {curves.name} ({curves.status_of(layer)}), in {layer_name(layer)}"
    if beside is None:
        return [
            f"{where}, {shown} has a correlation in space of {during[0]:.2f} and an ubRMSE of {during[1]:.3f} {UNIT}."
        ]
    before = _means(curves, beside, layer, material, ASSIMILATION)
    said = [
        f"{where}, the correlation in space is {during[0]:.2f} with {shown} and {before[0]:.2f} with {beside}, the "
        f"ubRMSE {during[1]:.3f} and {before[1]:.3f} {UNIT}, on average while images are assimilated."
    ]
    last, end = material.last_analysis, max(row.time for row in curves.rows)
    if last is not None and end > last and curves.status_of(layer) != FIT:
        before_at_end = _means(curves, beside, layer, material, END)
        hours = (end - last).total_seconds() / 3600
        later = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:g} h"
        said[0] += (
            f" {later} after the last analysis the correlation is {at_end[0]:.2f} and {before_at_end[0]:.2f}, the "
            f"ubRMSE {at_end[1]:.3f} and {before_at_end[1]:.3f}."
        )
    biased = []
    for one in layers:
        with_analyses, without = (_means(curves, run, one, material, ASSIMILATION)[2] for run in (shown, beside))
        if abs(with_analyses) > abs(without) + WORSE:
            biased.append(f"{layer_name(one)} {signed(with_analyses, 3)} for {signed(without, 3)}")
    if biased:
        said.append(f"The bias against {curves.name} is larger with {shown} ({', '.join(biased)} {UNIT}).")
    return said


def _of_water(ran: Ran) -> str:
    """What all analyses of a run did to the soil's water."""
    asked, came = sum(one.water["requested"] for one in ran.accounts), sum(map(applied, ran.accounts))
    return (
        f"All {len(ran.accounts)} analyses of {ran.name} together asked for {signed(asked, 1)} {MM} of water in the "
        f"mean over the soil, and {signed(came, 1)} {MM} came into it."
    )


def _runs_of(curves: Curves, material: Material) -> list[str]:
    """Runs that have scores, the control first."""
    there = list(dict.fromkeys(row.run for row in curves.rows))
    order = [ran.name for ran in material.runs]
    return sorted(there, key=lambda name: order.index(name) if name in order else len(order))


def _means(curves: Curves, run: str, layer: Layer, material: Material, period: str) -> tuple[float, float, float]:
    """Mean SCC, ubRMSE, bias after analyses: of the `ASSIMILATION`, of all where there is none; or at the `END`."""
    own = [row for row in curves.rows if row.run == run and row.layer == layer]
    if period == END:
        rows = by_period(own, None)[ALL][-1:]
    else:
        rows = by_period(own, material.assimilation).get(ASSIMILATION) or by_period(own, None)[ALL]
    return mean_score(rows, "scc"), mean_score(rows, "ubrmse"), mean_score(rows, "bias")


def _table(curves: Curves, material: Material) -> Table:
    """Scores of all runs in all layers, against what judges first."""
    rows = [["layer", "run", "SCC, mean", "end", f"ubRMSE ({UNIT}), mean", "end", f"bias ({UNIT}), mean", "end"]]
    for layer in dict.fromkeys(row.layer for row in curves.rows):
        for run in _runs_of(curves, material):
            during, end = (_means(curves, run, layer, material, which) for which in (ASSIMILATION, END))
            both = zip(during, end, strict=True)
            numbers = [
                signed(value, 4) if name == "bias" else f"{value:.{3 if name == 'SCC' else 4}f}"
                for name, values in zip(("SCC", "ubRMSE", "bias"), both, strict=True)
                for value in values
            ]
            rows.append([layer_name(layer), run, *numbers])
    statuses = ", ".join(dict.fromkeys(curves.status.values()))
    over = "from the first analysis to the last" if material.assimilations else "over all times"
    until = max(row.time for row in curves.rows)
    head = f"Against {curves.name} ({statuses}): means {over}, after analyses; end: {moment(until)}"
    return Table(f"{head}. {SCORES}", rows)


def _of_stations(found: StationVerification) -> list[str]:
    """Means over all stations in the first period, of the last run beside the first one."""
    results, runs = found.results, found.series.runs
    period, region, shown = 0, 0, len(runs) - 1
    n_scored = int(results.n_scored[period, region])
    if n_scored == 0:
        return []
    correlation, ubrmse = (NAMES.index(name) for name in ("R", "ubRMSE"))
    first, last = results.means[:, period, 0, region], results.means[:, period, shown, region]
    where = f"At {n_scored} stations of {found.name} ({found.status}), period {list(found.periods)[period]}"
    if shown == 0:
        return [
            f"{where}, {runs[0]} has a mean correlation of {first[correlation]:.2f} and an ubRMSE of "
            f"{first[ubrmse]:.3f} {UNIT}."
        ]
    low, high = results.mean_difference_ends[:, correlation, period, shown, region]
    scored = results.n_pairs[period] >= found.least_pairs
    return [
        f"{where}, the mean correlation in time is {last[correlation]:.2f} with {runs[shown]} and "
        f"{first[correlation]:.2f} with {runs[0]} (difference between {low:+.3f} and {high:+.3f}, 95 %), the ubRMSE "
        f"{last[ubrmse]:.3f} and {first[ubrmse]:.3f} {UNIT}. {paired_words(found, period, shown, scored)}"
    ]


def _of_comparison(material: Material) -> list[str]:
    """The method with the least error, and the one that changes nothing."""
    saved = material.comparison
    if saved is None:
        return []
    scored = saved.station_scores
    ubrmse = np.array(
        [
            np.nanmean(saved.ubrmse[number, :, saved.main_region] if scored is None else scored.values[1, number])
            for number in saved.shown()
        ]
    )
    names = [saved.names[number] for number in saved.shown()]
    if not np.isfinite(ubrmse).any():
        return []
    best = int(np.nanargmin(ubrmse))
    said = f"{names[best]} has the least ubRMSE, {ubrmse[best]:.4f} {UNIT}"
    if "none" in names and names[best] != "none":
        said += f"; without any correction it is {ubrmse[names.index('none')]:.4f}"
    return [f"{said}."]


def _how_sure(material: Material) -> list[str]:
    """What innovations say, over how many moments, and whether anything independent judges."""
    said = []
    main = material.main
    for run in material.innovations:
        if run.times.size and (main is None or run.name == main.name):
            said.append(f"{run.name}: {sentences(run, 0)[0].replace('+-', '±')} More is below, at innovations.")
    of_times: dict[int, list[str]] = {}
    for curves in material.curves:
        of_times.setdefault(len({row.time for row in curves.rows}), []).append(curves.name)
    for n_times, names in of_times.items():
        moments = "one moment" if n_times == 1 else f"{n_times} moments"
        said.append(f"Scores against {' and '.join(names)} are of {moments}, and have no intervals.")
    for stations in material.stations:
        n_times = stations.series.seconds.size
        said.append(
            f"Intervals at the stations of {stations.name} are of blocks of times, as long as errors last "
            f"({n_times} times)."
        )
    if material.comparison is not None:
        said.append(_of_cases(material.comparison))
    alone = [ran for ran in material.assimilations if ran.run is None]
    said += [_expected(ran) for ran in alone]
    statuses = {word for curves in material.curves for word in curves.status.values()}
    statuses |= {stations.status for stations in material.stations}
    if (
        material.assimilations
        and material.comparison is None
        and INDEPENDENT not in statuses
        and material.truth is None
    ):
        said.append(
            "Nothing independent judges: that the analysis fits what it was given is no proof that it is right."
        )
    return said or ["Nothing that was given says so."]


def _of_cases(saved: SavedComparison) -> str:
    """Over what the means of a comparison are."""
    if np.unique(saved.case).size == 1:
        return "It is one truth at one time: other ones may rank the methods in another order."
    if saved.judged_by == "stations":
        return "The tables have intervals of the means over these stations; others may differ."
    return "Standard errors in the tables take times as independent; where these are close they are too small."


def _expected(ran: Ran) -> str:
    """What the method of an analysis alone expects of its errors, where it does."""
    facts = ran.accounts[0].facts
    said = "It is one analysis of one moment: its scores have no intervals."
    names = {"expected_error_analysis_observed": "observed cells", "expected_error_analysis_unseen": "unseen land"}
    errors = [f"{facts[name].value:.3f} {UNIT} over {where}" for name, where in names.items() if name in facts]
    if not errors:
        return said
    return f"{said} The method expects an error of {' and '.join(errors)}, if its covariances are right."
