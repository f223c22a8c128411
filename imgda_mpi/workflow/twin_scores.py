"""What a twin experiment came to: scores, the reach of corrections into depth, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.observations.read import load_image
from imgda_mpi.parallel.failure import from_rank_0
from imgda_mpi.report.twin_table import twin_table
from imgda_mpi.results.propagation_file import write_propagation
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_images import instants
from imgda_mpi.results.run_scores import ScoreSeries, propagations, score_series
from imgda_mpi.results.scores_file import write_scores
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.observations import Gldas
from imgda_mpi.settings.twin import CONTROL, NATURE, Twin
from imgda_mpi.twin.places import Place


def scored(settings: Twin, there: TwinPaths, places: Sequence[Place], comm: MPI.Intracomm) -> str:
    """Score all runs of an experiment, write tables, and say what came of it. Collective.

    Raises
    ------
    InputError
        Where the runs do not go together.
    OutputError
    """
    truth, *others = from_rank_0(comm, lambda: [open_run(there.directory / name) for name in (NATURE, *settings.runs)])
    runs = dict(zip(settings.runs, others, strict=True))
    grid = from_rank_0(comm, lambda: next(instants(truth)).history.grid)
    how = Gldas(kind="gldas", file=there.images, max_time_offset=0.0).of_reader()

    def observed(time: datetime) -> FloatArray:
        return load_image("gldas", grid, time, **how).values

    series = score_series(runs, truth, observed, comm)
    return from_rank_0(comm, lambda: _written(settings, there, places, series))


def _written(
    settings: Twin,
    there: TwinPaths,
    places: Sequence[Place],
    series: ScoreSeries | None,
) -> str:
    """Tables on the rank that has the scores; one in words."""
    if series is None:
        raise ValueError("rank 0 has the scores")
    analyses = settings.cycle.first_analysis, settings.cycle.last_analysis
    vegetation = [place.vegetation for place in places]
    profiles = series.profiles
    reach = [
        row
        for name in settings.variants
        if name in profiles
        for row in propagations(profiles[name], profiles[CONTROL], name, vegetation, analyses)
    ]
    write_scores(there.scores, series.rows)
    write_propagation(there.propagation, reach)
    return twin_table(series.rows, reach, CONTROL, analyses)
