"""A twin experiment: a nature, images of it, a control run, variants that assimilate them, and their scores."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from mpi4py import MPI

from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.cycling.ending import Clock
from imgda_mpi.cycling.lock import only_driver
from imgda_mpi.faults import settled_by, writing
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.twin import NATURE, Embedded, Twin
from imgda_mpi.twin.images import write_images
from imgda_mpi.twin.instrument import Instrument
from imgda_mpi.twin.places import choose_places
from imgda_mpi.workflow.cycle_columns import run_columns
from imgda_mpi.workflow.twin_parts import check_folder, columns_of, model_of, runs_of, write_cases
from imgda_mpi.workflow.twin_scores import scored

log = logging.getLogger(__name__)


def twin(settings: Twin, comm: MPI.Intracomm, clock: Clock) -> str:
    """Make all of a twin experiment that is not complete yet, and say what came of it. Collective.

    Raises
    ------
    OutOfTime
        Where there is no time for all: the same command goes on.
    ImgdaError
        All that is complete stays.
    """
    there, stages = TwinPaths(settings.output.directory), Stages()
    with settled_by("[output] directory"):
        on_rank_0(comm, lambda: check_folder(settings, there))
    model = model_of(settings, there)
    # Nothing is written before what the user gives has been looked at.
    own = None if isinstance(settings.case, Embedded) else columns_of(settings, model, comm)
    with ExitStack() as stack:
        with settled_by("[output] directory"):
            on_rank_0(comm, lambda: drive(settings, there, stack))
        with stages.stage("case"):
            on_rank_0(comm, lambda: write_cases(settings, there))
            own = own or columns_of(settings, model, comm)
            places = choose_places(own, settings.places, settings.seed, comm)
            stages.say(f"{own.summary}; profiles at {len(places)} points")
        transform: CurveletTransform | None = None
        for name, run in runs_of(settings, there, model, places).items():
            with stages.stage(name):
                said, made = run_columns(run, comm, clock, transform)
                stages.say(said)
            transform = made or transform
            if name == NATURE:
                with stages.stage("images"):
                    nature = from_rank_0(comm, lambda: open_run(there.directory / NATURE))
                    instrument = Instrument(**settings.instrument.values(), seed=settings.seed)
                    stages.say(write_images(nature, instrument, there.observations, comm).summary)
        with stages.stage("scores"):
            said = scored(settings, there, places, comm)
            stages.say(f"{there.scores.name}, {there.propagation.name}")
    log.info("result in %s; `imgda_mpi report %s` makes a page of it", there.directory, there.directory)
    return said


def drive(settings: Twin, there: TwinPaths, stack: ExitStack) -> None:
    """Be the only one that drives an experiment, in a folder that is made where there is none. Not collective.

    Raises
    ------
    OutputError
    """
    with writing(there.directory):
        there.directory.mkdir(parents=True, exist_ok=True)
    stack.enter_context(only_driver(there.directory))
    check_folder(settings, there)
