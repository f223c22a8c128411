"""Runs held against stations: their values there, pairs in time, scores, files and a table for each section."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.faults import ConfigError, ImgdaError, fault, settled_by
from imgda_mpi.histories.image_series import Frame, ImageSeries
from imgda_mpi.histories.rain import RainSeries, open_rain
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.report.stations_table import compared_words, stations_summary, stations_table
from imgda_mpi.results.station_scores_file import StationVerification, write_station_rows, write_station_scores
from imgda_mpi.settings.verify import AnySites, Verification
from imgda_mpi.stations.choice import means, nearest
from imgda_mpi.stations.series import instants
from imgda_mpi.verify.day_correlations import DAY, day_correlations
from imgda_mpi.verify.lags import lags_of_networks
from imgda_mpi.verify.pytesmo_metrics import WINDOW, check_pytesmo
from imgda_mpi.verify.station_series import AtStations
from imgda_mpi.verify.station_verification import (
    CHUNK,
    ChunkScores,
    StationResults,
    block_lengths,
    joined,
    score_chunk,
)
from imgda_mpi.verify.status import status
from imgda_mpi.workflow.chosen_stations import Chosen, choose_stations
from imgda_mpi.workflow.station_values import RunValues, values_at
from imgda_mpi.workflow.verify_inputs import Inputs, Part, times_of_periods
from imgda_mpi.workflow.verify_references import said_by_runs

log = logging.getLogger(__name__)


def verify_stations(
    settings: Verification, inputs: Inputs, chosen: Mapping[str, Chosen] | None, directory: Path, comm: MPI.Intracomm
) -> list[Part]:
    """Hold all runs against the stations of every section: a part for each on rank 0, none elsewhere. Collective.

    All ranks read the runs and share the scores, with the same bits on any number of ranks.
    Writes ``scores_stations_NAME.nc`` and ``.csv`` for each section.

    Parameters
    ----------
    settings, inputs
    chosen : stations of every section, see `choose_all`, on rank 0
    directory : is there

    Raises
    ------
    ImgdaError
        On every rank: where runs cannot be read, no station has enough pairs, or the files cannot be written.
    """
    parts, rain = [], None
    if settings.rain is not None:
        with settled_by("[rain]"):
            of_files = settings.rain.values()
            rain = from_rank_0(comm, lambda: open_rain(times=inputs.times, **of_files))
    for name, section in settings.stations.items():
        own = None if chosen is None else chosen[name]
        parts.append(_verify(name, section, settings, inputs, own, directory, rain, comm))
    return [part for part in parts if part is not None]


def choose_all(settings: Verification, inputs: Inputs) -> dict[str, Chosen]:
    """The stations of all sections, which are small beside the runs; says how many there are. On rank 0.

    Of the runs, and of rain that goes with the stations, the first image is read to see that it can be.

    Raises
    ------
    ImgdaError
        Where they, the runs or the rain cannot be read, none is within the grid, none has values enough at these
        times, or a package is missing.
    """
    found = {}
    if settings.rain is not None:
        with settled_by("[rain]"):
            rain = open_rain(times=inputs.times, **settings.rain.values())
            first = next(iter(inputs.runs.values()))
            moments = (frame.time for time in inputs.times for frame in _states(first, time, inputs))
            next((time for time in moments if rain.at(time) is not None), None)
    for name, section in settings.stations.items():
        with settled_by(f"[stations.{name}]"):
            check_pytesmo()
            chosen = choose_stations(section, inputs)
            if not chosen.series:
                raise _too_few(section, chosen, 0)
            _check_times(section, chosen, inputs)
            log.info("stations %s: %s: %s", name, section.file, chosen.summary)
            found[name] = chosen
        for of_run, run in inputs.runs.items():
            with settled_by(f"[runs.{of_run}], [stations.{name}]"):
                _read_first(run, chosen, inputs)
    return found


def _states(run: ImageSeries, time: datetime, inputs: Inputs) -> Sequence[Frame]:
    """What of a run is compared with stations at a time."""
    return run.frames_of(time, inputs.window).get("after", [])


def _read_first(run: ImageSeries, chosen: Chosen, inputs: Inputs) -> None:
    """Read the first image of a run, at the deepest of the stations."""
    frames = next(filter(None, (_states(run, time, inputs) for time in inputs.times)), None)
    if frames is not None:
        top, bottom = max(map(tuple, chosen.places.compared.tolist()))
        if chosen.at_depth:
            frames[0].depth(top)
        else:
            frames[0].layer((top, bottom))


def _check_times(section: AnySites, chosen: Chosen, inputs: Inputs) -> None:
    """Refuse stations without a value in the time that is verified, and too few times or values for any score."""
    reach = max(
        [
            section.match,
            inputs.window or section.match,
            *(run.interval or section.match for run in inputs.runs.values()),
        ]
    )
    wanted = instants([inputs.times[0] - reach, inputs.times[-1] + reach])
    of_each = [one.times[np.isfinite(one.values)] for one in chosen.series]
    valid = np.concatenate(of_each)
    if not ((valid >= wanted[0]) & (valid <= wanted[1])).any():
        first, last = inputs.times[0], inputs.times[-1]
        raise fault(
            section.file,
            "time",
            found=f"valid values from {_day(valid.min())} to {_day(valid.max())}" if valid.size else "no valid value",
            expected=f"some from {first:{DATE_TEXT}} to {last:{DATE_TEXT}}, the times that are verified",
            do="take stations of these times, or other `times`",
        )
    most = max(map(len, times_of_periods(inputs)))
    if most < section.least_pairs:
        raise fault(
            "least_pairs",
            found=f"at most {most} times in a period",
            expected=f"{section.least_pairs} for as many pairs",
            do="verify more times, or set a smaller least_pairs",
            kind=ConfigError,
        )
    # As if all runs had a value at every time, and the widest interval was matched.
    n_most = 0
    for times in filter(None, times_of_periods(inputs)):
        begins, ends = (instants([time + sign * reach for time in times]) for sign in (-1, 1))
        for own in of_each:
            is_near = own.searchsorted(ends, "right") > own.searchsorted(begins)
            n_most = max(n_most, int(np.count_nonzero(is_near)))
    if n_most < section.least_pairs:
        raise _too_few(section, chosen, n_most)


def _day(time: np.datetime64) -> str:
    return f"{time.astype(datetime).replace(tzinfo=UTC):{DATE_TEXT}}"


def _verify(
    name: str,
    section: AnySites,
    settings: Verification,
    inputs: Inputs,
    chosen: Chosen | None,
    directory: Path,
    rain: RainSeries | None,
    comm: MPI.Intracomm,
) -> Part | None:
    """One section. Collective."""
    places, at_depth = comm.bcast(None if chosen is None else (chosen.places, chosen.at_depth))
    found = values_at(inputs, places, section.cell, at_depth, rain, comm)
    if rain is not None and found is not None and not np.isfinite(found.rain).any():
        log.warning(
            "%s: no rain at any of the times verified; correct its files or max_time_offset (see [rain])", rain.pattern
        )
    with settled_by(f"[stations.{name}]"):
        compared = on_rank_0(comm, lambda: _compared(section, inputs, chosen, found))
    results = _results(compared, section.least_pairs, comm)

    def written() -> Part:
        assert compared is not None
        assert results is not None
        assimilated = section.assimilated
        if assimilated is None:
            assimilated = said_by_runs(settings, section.file)
        verified = _verification(name, section, inputs, compared, results, status(assimilated))
        files = [directory / f"scores_stations_{name}.{end}" for end in ("nc", "csv")]
        write_station_scores(files[0], verified, settings.model_dump_json())
        write_station_rows(files[1], verified)
        return Part(stations_table(verified), files, stations_summary(verified))

    return on_rank_0(comm, written)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Stations and runs side by side, on rank 0.

    Parameters
    ----------
    chosen : stations
    series : of runs and stations
    rain : (n_times, n_stations) kg m-2 s-1
    matched : which values of a station belong to a time, in words
    periods : times that belong to each, (n_periods, n_times)
    regions : stations that belong to each, by name
    """

    chosen: Chosen
    series: AtStations
    rain: FloatArray
    matched: str
    periods: BoolArray
    regions: dict[str, BoolArray]

    @property
    def members(self) -> BoolArray:
        """Stations that belong to each region, (n_regions, n_stations)."""
        return np.array(list(self.regions.values()))


def _compared(section: AnySites, inputs: Inputs, chosen: Chosen | None, found: RunValues | None) -> _Compared:
    """Pairs of runs and stations, without stations at which some run never has a value. On rank 0.

    Raises
    ------
    InputError
        Where no station has enough pairs.
    """
    assert chosen is not None
    assert found is not None
    gone = np.asarray(~np.isfinite(found.values).any(axis=1).all(axis=0))
    chosen = chosen.without(gone, "in cells without land of some run")
    seconds = np.array([time.timestamp() for time in inputs.times])
    measured, matched = _measured(section, inputs, chosen, found, seconds)
    values = found.values[..., ~gone]
    series = AtStations(runs=list(inputs.runs), seconds=seconds, values=values, measured=measured)
    periods = np.array(
        [[first <= time <= last for time in inputs.times] for first, last in inputs.periods.values()], bool
    )
    without = int(np.count_nonzero(np.isnan(found.middles).any(axis=0)))
    counts = {"times": len(inputs.times), "times without a frame of some run": without}
    chosen = replace(chosen, counts=chosen.counts | counts)
    n_pairs = np.array([np.count_nonzero(series.pairs[of_period], axis=0) for of_period in periods])
    if n_pairs.max(initial=0) < section.least_pairs:
        raise _too_few(section, chosen, int(n_pairs.max(initial=0)))
    return _Compared(chosen, series, found.rain[:, ~gone], matched, periods, chosen.places.regions(inputs.boxes))


def _too_few(section: AnySites, chosen: Chosen, n_most: int) -> ImgdaError:
    return fault(
        section.file,
        found=f"{len(chosen.series)} stations to compare with at most {n_most} pairs in a period ({chosen.summary})",
        expected=f"one with at least {section.least_pairs}",
        do="take stations of this region and time in UTC, a longer match, more times, or a smaller least_pairs",
    )


def _measured(
    section: AnySites, inputs: Inputs, chosen: Chosen, found: RunValues, seconds: FloatArray
) -> tuple[FloatArray, str]:
    """What stations have for each time, (n_times, n_stations), and how it is matched, in words."""
    lengths = [run.interval or timedelta(0) for run in inputs.runs.values()]
    longest = lengths.index(max(lengths))
    length = lengths[longest]
    if inputs.window is not None:
        values = [means(one, inputs.times, inputs.window) for one in chosen.series]
        said = f"means of {_length(inputs.window)} from each time on"
    elif length:
        middles = np.where(np.isfinite(found.middles[longest]), found.middles[longest], seconds)
        starts = [datetime.fromtimestamp(middle, UTC) - length / 2 for middle in middles.tolist()]
        values = [means(one, starts, length) for one in chosen.series]
        said = f"means of {_length(length)}, as of {list(inputs.runs)[longest]}"
    else:
        values = [nearest(one, inputs.times, section.match) for one in chosen.series]
        said = f"nearest value within {_length(section.match)}"
    return np.array(values).reshape(len(chosen.series), len(inputs.times)).T, said


def _length(time: timedelta) -> str:
    minutes = time / timedelta(minutes=1)
    return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:g} h"


def _results(compared: _Compared | None, least: int, comm: MPI.Intracomm) -> StationResults | None:
    """Scores, shared over the ranks in chunks of stations; on rank 0. Collective."""

    def dealt() -> tuple[IntArray, list[list[tuple[AtStations, BoolArray]]]]:
        assert compared is not None
        series, regions = compared.series, compared.members
        starts = range(0, series.measured.shape[1], CHUNK)
        chunks = [(series.of_stations(start, start + CHUNK), regions[:, start : start + CHUNK]) for start in starts]
        offsets = share(len(chunks), comm.size)
        blocks = block_lengths(series, compared.periods, least)
        return blocks, [chunks[offsets[rank] : offsets[rank + 1]] for rank in range(comm.size)]

    made = on_rank_0(comm, dealt)
    blocks, periods = comm.bcast(None if made is None or compared is None else (made[0], compared.periods))
    own = comm.scatter(None if made is None else made[1])
    with same_fate(comm):
        scored = [score_chunk(series, periods, blocks, regions, least) for series, regions in own]
    gathered = comm.gather(scored)
    if gathered is None or compared is None:
        return None
    chunks: Sequence[ChunkScores] = [chunk for of_rank in gathered for chunk in of_rank]
    return joined(chunks, compared.periods, blocks, compared.members, least)


def _verification(
    name: str, section: AnySites, inputs: Inputs, compared: _Compared, results: StationResults, said: str
) -> StationVerification:
    """Everything that is written, on rank 0, with its status in words; warns of times that may not be UTC."""
    series, places, least = compared.series, compared.chosen.places, section.least_pairs
    lags = lags_of_networks(series.values[0], series.measured, series.seconds, places.networks)
    for lag in lags:
        if lag.doubtful:
            log.warning("stations %s: %s", name, lag)
    few = int(np.count_nonzero((results.n_pairs < least).all(axis=0)))
    counts = compared.chosen.counts | {f"with fewer than {least} pairs in every period": few}
    notes = [f"{run}: {remark}" for run, of_run in inputs.runs.items() for remark in of_run.remarks]
    without = [box for box in inputs.boxes if box not in compared.regions]
    notes += [f"no station in {', '.join(without)}"] if without else []
    n_rain = int(np.isfinite(compared.rain).any(axis=1).sum())
    if 0 < n_rain < len(inputs.times):
        notes.append(f"rain at {n_rain} of {len(inputs.times)} times")
    days = float(np.ptp(series.seconds)) / DAY
    if days < WINDOW:
        notes.append(f"over {days:.3g} days a moving mean of {WINDOW} days is nearly the mean: anomaly R is nearly R")
    return StationVerification(
        name=name,
        status=said,
        compared_with=compared_words(places, compared.chosen.at_depth),
        cell=section.cell,
        matched=compared.matched,
        least_pairs=least,
        notes=notes,
        counts=counts,
        lags=lags,
        places=places,
        series=series,
        rain=compared.rain,
        periods=inputs.periods,
        regions=compared.regions,
        results=results,
        days=day_correlations(series, compared.periods, compared.members, least),
    )
