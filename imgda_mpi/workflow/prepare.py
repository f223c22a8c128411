"""From the settings of an analysis to its problem and its method: every file opened, checked and read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.ledger import TERMS
from imgda_mpi.colm.marks import Assimilated
from imgda_mpi.colm.plausible import check_aquifer
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, is_transform_of, make_transform
from imgda_mpi.faults import NO_OBSERVATION, settled_by
from imgda_mpi.grid import Grid, coarsest_wave
from imgda_mpi.methods.method import Method, check_enough
from imgda_mpi.methods.registry import make_method, needs_transform, scales_by_size
from imgda_mpi.model.restart import SURFACE, Restart, open_restart, read_soil, surface_image
from imgda_mpi.numerics.features import Groups
from imgda_mpi.numerics.problem import Members, Observations, Problem
from imgda_mpi.observations.deviations import Deviation, read_deviation, read_fields
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.read import check_observed, read_image
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.results.folder import check_output
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.model import MemberRestarts
from imgda_mpi.workflow.features import features_of


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that an analysis starts from.

    Parameters
    ----------
    restart, soil, aquifer : soil and aquifer store, (n_own,) mm, of the own patches
    observation : None where the method needs none and the settings name none
    method, transform : the method, and its transform where it has one
    problem : Problem
    files : every file that decides the result
    assimilated : what the analysed restart will hold; empty where this analysis assimilates nothing
    """

    restart: Restart
    soil: SoilColumns
    aquifer: FloatArray
    observation: ObservedImage | None
    method: Method
    transform: CurveletTransform | None
    problem: Problem
    files: list[Path]
    assimilated: tuple[Assimilated, ...]

    @property
    def fft_plans(self) -> str | None:
        """Estimated or measured; None for methods without a transform."""
        return None if self.transform is None else "estimated" if self.transform.wisdom is None else "measured"


def prepare(
    settings: Settings,
    stages: Stages,
    comm: MPI.Intracomm,
    transform: CurveletTransform | None = None,
    restart: Restart | None = None,
    *,
    will_write: bool = True,
) -> Prepared:
    """Open, check and read everything an analysis needs, and see that its result can be written. Collective.

    ``restart`` is that of the settings where it is in memory already, ``transform`` one that is taken where it is the
    settings'; without ``will_write`` the output folder does not matter.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that an analysis would stop at.
    ValueError
        On every rank: where the restart given is of another time.
    """
    time, model = settings.model.time, settings.model
    with stages.stage("restart"):
        with settled_by("[model]"):
            restart = restart or open_restart(model.kind, comm, **model.values())
        if restart.time != time:
            raise ValueError(f"a restart of {restart.time}, expected one of {time}")
        if will_write:
            with settled_by("[output]"):
                check_output(settings.output.directory, partial(room, restart), comm)
        with settled_by("[model], [soil]"):
            restart, soil, aquifer = read_soil(restart, comm, settings.soil.implausible)
        if will_write:
            with settled_by("[model]"):
                restart.check_copied(settings.soil.implausible)
        if settings.soil.compensate == "aquifer":
            with settled_by("[soil]"):
                check_aquifer(soil, aquifer, restart.name, comm)
        background = surface_image(restart, soil.surface_moisture(SURFACE), comm)
        grid, land = restart.patches.grid, np.isfinite(background)
        held = f", observations assimilated before: {len(restart.mark.observations)}" if restart.mark else ""
        stages.say(f"{restart.name}: {restart.offsets[-1]} patches in {land.sum()} soil cells{held}")
    errors = Deviation(1.0)
    if settings.method.needs_errors and settings.observation is not None:
        with settled_by("[errors] observation"):
            # Of its layer, and regridded as the observation is, or they would end before it does.
            offset, reader = settings.observation.max_time_offset, settings.observation.of_reader()
            how = {name: reader[name] for name in ("layer", "regridding") if name in reader}
            errors = read_deviation(settings.errors.observation, grid, settings.observed_at, comm, offset, **how)
    observation, assimilated = observe(settings, restart, background, errors, stages, comm)
    with settled_by("[method]"):
        parameters, error_files = read_fields(settings.method.values(), grid, time, land, comm)
    files = [*restart.inputs, *(observation.files if observation else ()), *error_files, *errors.files]
    values = np.full(grid.shape, np.nan) if observation is None else observation.values
    observed = land & np.isfinite(values)
    with settled_by("[errors] observation"), same_fate(comm):
        deviation = errors.on(observed)
    estimate = settings.errors.estimate_observation
    observations = Observations(np.where(observed, values, 0.0), observed, deviation, estimate)
    transform = transform_of(settings, grid, transform, stages, comm)
    with settled_by("[method]" if settings.parallel.wedge_groups is None else "[parallel]"), same_fate(comm):
        method = make_method(settings.method.kind, parameters, transform, comm.size, settings.parallel.wedge_groups)
    with settled_by("[method]"), same_fate(comm):
        method.check(grid, observations)
    with settled_by("[method], [errors] allow_few", NO_OBSERVATION):
        check_enough(method, observations, settings.errors.allow_few, comm)
    members = None
    if method.needs_members:
        section = "[ensemble], [soil]" if isinstance(settings.ensemble, MemberRestarts) else "[ensemble]"
        with stages.stage("members"), settled_by(section):
            repeats = settings.observation is not None and settings.observation.allow_repeated
            new = None if repeats or not assimilated else assimilated[-1]
            members, member_files = members_of(settings, method, grid, land, new, comm)
            files = list(dict.fromkeys([*files, *member_files]))
            spread = np.sqrt(np.nanmean(members.spread**2))
            stages.say(f"{members.n_members} members, spread {spread:.4f} m3 m-3")
    features: Groups = {}
    if method.uses_features:
        features = features_of(settings, restart, land, stages, comm)
        files = list(dict.fromkeys([*files, *(section.file for section in settings.features.values())]))
    problem = Problem(grid, background, land, observations, members, time, settings.errors.seed, features)
    return Prepared(restart, soil, aquifer, observation, method, transform, problem, files, assimilated)


def observe(
    settings: Settings, restart: Restart, background: FloatArray, errors: Deviation, stages: Stages, comm: MPI.Intracomm
) -> tuple[ObservedImage | None, tuple[Assimilated, ...]]:
    """The observed image, and what the restart will hold with it: empty where nothing is assimilated. Collective.

    Raises
    ------
    InputError
    """
    wanted, grid, time = settings.observation, restart.patches.grid, settings.model.time
    with stages.stage("observation"), settled_by("[observation]", NO_OBSERVATION):
        stages.say("none")
        if wanted is None:
            return None, ()
        how = wanted.of_reader() | ({"error": errors.typical} if settings.method.needs_errors else {})
        observation = read_image(wanted.kind, grid, settings.observed_at, comm, **how)
        allowed = {"allow_empty": wanted.allow_empty, "allow_unlike_background": wanted.allow_unlike_background}
        n_observed = check_observed(observation, background, comm, **allowed)
        away = observation.away_from(time)
        stages.say(f"{observation.source}{away}: {n_observed} soil cells observed; {observation.pixels}")
    if n_observed == 0 or settings.method.kind == "none":
        return observation, ()
    cells = np.isfinite(background) & observation.observed
    return observation, assimilated_with(observation, cells, restart, wanted.allow_repeated, comm)


def assimilated_with(
    observation: ObservedImage, cells: BoolArray, restart: Restart, allow_repeated: bool, comm: MPI.Intracomm
) -> tuple[Assimilated, ...]:
    """What a restart will hold with one more observation; with ``allow_repeated`` the same one twice. Collective.

    Raises
    ------
    InputError
        Where it holds this one already and that is not allowed.
    """
    # The name alone: results do not depend on where files are.
    source = f"{observation.path.name}: {observation.what}"
    time, n_cells = f"{observation.time:%Y-%m-%dT%H:%M:%SZ}", int(np.count_nonzero(cells))
    sketch = from_rank_0(comm, lambda: observation.sketch(cells))
    new = Assimilated(observation.fingerprint, source, time, n_cells, sketch)
    with settled_by("[observation] allow_repeated"), same_fate(comm):
        if restart.mark is not None and not allow_repeated:
            restart.mark.check_new(new)
    return (*(restart.mark.observations if restart.mark else ()), new)


def room(restart: Restart) -> int:
    """Bytes that the restart and its diagnostics need at most, these before they are deflated. Not collective."""
    ny, nx = restart.patches.grid.shape
    # Seven images and the terms of the ledger, in cells and in patches.
    n_images = 7 + len(TERMS)
    return restart.room() + 8 * n_images * (ny * nx + int(restart.offsets[-1])) + 1_000_000


def transform_of(
    settings: Settings, grid: Grid, given: CurveletTransform | None, stages: Stages, comm: MPI.Intracomm
) -> CurveletTransform | None:
    """The method's transform, made unless the one given is it; None for methods without one. Collective."""
    kind = settings.method.kind
    if not needs_transform(kind):
        return None
    wanted, shape = TransformKind(**settings.curvelet.values()).on(grid, scales_by_size=scales_by_size(kind))
    if given is not None and is_transform_of(given, wanted, shape):
        return given
    with stages.stage("transform"), settled_by("[curvelet]"):
        transform = make_transform(wanted, shape, comm)
        scales, n_values = transform.geometry.n_scales, transform.layout.n_values
        waves = f"the coarsest has waves longer than {coarsest_wave(scales) * grid.row_height / 1000:,.0f} km"
        stages.say(f"{scales} scales on {shape[0]} x {shape[1]}, {waves}: {n_values} coefficients")
    return transform


def members_of(
    settings: Settings, method: Method, grid: Grid, land: BoolArray, new: Assimilated | None, comm: MPI.Intracomm
) -> tuple[Members, list[Path]]:
    """The members of the model, none of which may hold the ``new`` observation, and their files. Collective.

    Raises
    ------
    InputError
        See `read_members`.
    """
    from imgda_mpi.model.members import count_members, members_in_images, members_in_restarts, read_members

    model, wanted = settings.model, settings.ensemble
    if wanted is None:
        raise ValueError(f"method {method.name} needs members")
    if isinstance(wanted, MemberRestarts):
        n_members = len(wanted.directories)
        of_members = [model.of_member(directory).values() for directory in wanted.directories]
        of_member = members_in_restarts(model.kind, of_members, grid, settings.soil.implausible, new)
    else:
        n_members = count_members(wanted.file, model.time, wanted.variable, comm)
        of_member = members_in_images(grid, model.time, **wanted.values())
    return read_members(n_members, of_member, land, partial(method.holder, n_ranks=comm.size), comm)
