"""A twin experiment: a nature, images of it, a control run, variants that assimilate them, and their scores."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial

from mpi4py import MPI

from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.cycling.ending import Clock
from imgda_mpi.cycling.lock import only_driver
from imgda_mpi.faults import settled_by
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.twin_folder import TwinPlaces
from imgda_mpi.settings.twin import NATURE, Twin
from imgda_mpi.twin.images import write_images
from imgda_mpi.twin.instrument import Instrument
from imgda_mpi.workflow.cycle_columns import run_columns
from imgda_mpi.workflow.twin_parts import begin, model_of, places_of
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
    there, stages = TwinPlaces(settings.output.directory), Stages()
    with settled_by("[output] directory, [case]"):
        on_rank_0(comm, lambda: begin(settings, there))
    with ExitStack() as stack:
        on_rank_0(comm, lambda: stack.enter_context(only_driver(there.directory)))
        model = model_of(settings, there)
        places = places_of(settings, model, comm)
        points = [(place.latitude, place.longitude) for place in places]
        transform: CurveletTransform | None = None
        for name in (NATURE, *settings.runs):
            case = model | {"points": points} | ({"directory": there.nature_case} if name == NATURE else {})
            run = settings.run(name, case, there.images)
            with stages.stage(name):
                made = run_columns(run, comm, clock, transform)
                transform = made.transform or transform
                stages.say(from_rank_0(comm, partial(getattr, made.loop, "summary")))
            if name == NATURE:
                with stages.stage("images"):
                    instrument = Instrument(**settings.instrument.values(), seed=settings.seed)
                    stages.say(
                        str(write_images(open_run(there.directory / NATURE), instrument, there.observations, comm))
                    )
        with stages.stage("scores"):
            said = scored(settings, there, places, comm)
    log.info("result in %s", there.directory)
    return said
