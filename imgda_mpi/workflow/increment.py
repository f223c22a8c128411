"""The increment of the image, by the method, error model and solver of the settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation, large_scale_increment, pointwise_increment
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.config import Settings
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.error_models.choose import choose_error_model
from imgda_mpi.errors import ConfigError
from imgda_mpi.grid import embed
from imgda_mpi.parallel.exchange import Sent
from imgda_mpi.perturbations import random_signs
from imgda_mpi.solvers.diagonal import diagonal_increment
from imgda_mpi.solvers.full import ExpectedErrors, FullUpdate
from imgda_mpi.solvers.observation_error import estimated_observation_sd
from imgda_mpi.solvers.wedge_powers import scale_filter
from imgda_mpi.solvers.wedge_statistics import WedgeStatistics
from imgda_mpi.workflow.inputs import Inputs

if TYPE_CHECKING:
    from imgda_mpi.error_models.ensemble import EnsembleErrors

log = logging.getLogger(__name__)

N_SIGNS = 4  # random images that the expected errors are estimated from


@dataclass(frozen=True, eq=False)
class Increment:
    """What a method makes of the observed image.

    Parameters
    ----------
    image : increment on the grid, (ny, nx) m3 m-3, on every rank
    applied : cells that it is to be given to, (ny, nx) bool: what is observed, with the full solver all land
    summary : in a few words
    wedges : on rank 0, None elsewhere and for methods without a transform
    sent : by this rank in the exchange of coefficients
    observation_sd : estimated standard deviation of the observation errors, m3 m-3, None where it is prescribed
    inflation : factor of the members' variance that the innovation asks for, and its standard error; None without
    iterations, residual, expected : of the full solver, None elsewhere; errors are expected of all scales together only
    """

    image: FloatArray
    applied: BoolArray
    summary: str
    wedges: WedgeStatistics | None = None
    sent: Sent = field(default_factory=Sent)
    observation_sd: float | None = None
    inflation: tuple[float, float] | None = None
    iterations: int | None = None
    residual: float | None = None
    expected: ExpectedErrors | None = None


def increment_of(settings: Settings, inputs: Inputs, comm: MPI.Intracomm) -> Increment:
    """Increment of the image by the method of the settings. Collective over ``comm``.

    Raises
    ------
    ImgdaError
    """
    # Where nothing is observed there is no innovation, and no value has to be invented.
    values = np.nan_to_num(inputs.innovation, nan=0.0)
    observed = np.isfinite(inputs.innovation)
    if settings.method == "none" or not observed.any():
        return Increment(np.zeros_like(values), observed, f"method {settings.method}, no increment")
    if settings.method == "insert":
        return Increment(values, observed, "method insert")
    assert inputs.deviations is not None
    background_sd, observation_sd = inputs.deviations
    shape = inputs.restart.patches.grid.transform_shape()
    innovation = Innovation(embed(values, shape), embed(observed, shape), observation_sd)
    ny, nx = values.shape
    if settings.method == "pointwise":
        image = pointwise_increment(innovation.values, background_sd, observation_sd)[:ny, :nx]
        return Increment(np.asarray(image, np.float64), observed, "method pointwise")
    assert inputs.transform is not None
    if settings.method == "large_scale":
        image = _large_scale(innovation, background_sd, inputs.transform, settings)[:ny, :nx]
        return Increment(np.asarray(image, np.float64), observed, "method large_scale")
    return _image_increment(settings, inputs, innovation, comm)


def _image_increment(settings: Settings, inputs: Inputs, innovation: Innovation, comm: MPI.Intracomm) -> Increment:
    transform, observed = inputs.transform, np.isfinite(inputs.innovation)
    assert transform is not None
    (ny, nx), land = observed.shape, np.isfinite(inputs.background)
    estimate = None
    if settings.errors.estimate_observation:
        estimate = _estimated_sd(innovation, transform, comm)
        innovation = replace(innovation, observation_sd=estimate)
    inflation = None
    if inputs.members is not None:
        from imgda_mpi.error_models.ensemble import spread_error_ratio  # most analyses have no members

        spread = embed(np.nan_to_num(inputs.members.spread), innovation.values.shape)
        inflation = spread_error_ratio(innovation, spread)
    assert inputs.deviations is not None
    errors = choose_error_model(
        settings.error_model,
        innovation,
        background_sd=inputs.deviations[0],
        n_members=settings.errors.n_members,
        seed=settings.errors.seed,
        time=settings.model.time,
        ensemble=_ensemble(settings, inputs, innovation, inflation),
        innovation_weight=settings.ensemble.innovation_weight if settings.ensemble else 0.0,
    )
    name = f"method image, {settings.error_model}/{settings.solver}"
    if inflation is not None:
        name += f", innovation asks for {inflation[0]:.2f}+-{inflation[1]:.2f} of the members' variance"
    if settings.solver == "diagonal":
        assert inputs.ranks is not None
        increment, statistics, sent = diagonal_increment(
            innovation, errors, transform, inputs.ranks, comm, settings.scales
        )
        image = comm.bcast(None if increment is None else increment[:ny, :nx].astype(np.float64))
        return Increment(image, observed, name, statistics, sent, estimate, inflation)
    update = FullUpdate(innovation, errors, transform, comm, settings.scales)
    signs = [
        random_signs(innovation.values.shape, seed=settings.errors.seed, time=settings.model.time, member=1 + number)
        for number in range(N_SIGNS)
    ]
    statistics = update.statistics  # by all ranks
    # They would be those of an update of all scales.
    expected = update.expected_errors(embed(land, innovation.values.shape), signs) if settings.scales is None else None
    return Increment(
        image=update.increment[:ny, :nx],
        applied=land,
        summary=f"{name}: {update.iterations} iterations, residual {update.residual:.1e}{_expectation(expected)}",
        wedges=statistics if comm.rank == 0 else None,
        observation_sd=estimate,
        inflation=inflation,
        iterations=update.iterations,
        residual=update.residual,
        expected=expected,
    )


def _ensemble(
    settings: Settings, inputs: Inputs, innovation: Innovation, inflation: tuple[float, float] | None
) -> EnsembleErrors | None:
    """Background errors by the members that this rank holds; None without members."""
    if settings.ensemble is None or inputs.members is None or inflation is None:
        return None
    from imgda_mpi.error_models.ensemble import EnsembleErrors
    from imgda_mpi.localisation import Localisation

    wanted, members, grid = settings.ensemble, inputs.members, inputs.restart.patches.grid
    factor = inflation[0] if wanted.inflation == "innovation" else float(wanted.inflation)
    if np.isnan(factor):
        error = ConfigError(
            "[ensemble] inflation: the members do not differ where something is observed; give a number"
        )
        error.everywhere = True  # every rank has seen the same
        raise error
    shape = innovation.values.shape
    return EnsembleErrors(
        {member: embed(np.sqrt(factor) * anomaly, shape) for member, anomaly in members.anomalies.items()},
        members.n_members,
        # It is large, and needed where there are members alone.
        Localisation(grid, 1000.0 * wanted.localisation) if settings.solver == "full" and members.anomalies else None,
        grid.shape,
    )


def _expectation(expected: ExpectedErrors | None) -> str:
    if expected is None:
        return ""
    unseen = "" if np.isnan(expected.analysis_unseen) else f", {expected.analysis_unseen:.3f} on unseen land"
    return f"; expected error {expected.analysis_observed:.3f} m3 m-3{unseen}"


def _estimated_sd(innovation: Innovation, transform: CurveletTransform, comm: MPI.Intracomm) -> float:
    """Estimated standard deviation of the observation errors; warns where it is far from the one prescribed."""
    estimate = estimated_observation_sd(innovation, transform, comm)
    prescribed = float(np.sqrt(innovation.observation_variance[innovation.observed].mean()))
    if comm.rank == 0 and not 0.5 <= estimate / prescribed <= 2.0:
        log.warning(
            "the innovation's finest scales say %.3f m3 m-3 for the observation errors, errors.observation says %.3f: "
            "the estimate is used",
            estimate,
            prescribed,
        )
    return estimate


def _large_scale(
    innovation: Innovation, background_sd: float | FloatArray, transform: CurveletTransform, settings: Settings
) -> FloatArray:
    scales = settings.scales or range(1, transform.geometry.n_scales // 2 + 1)
    # The constraint knows one standard deviation of each kind: of fields the root mean square.
    s_b, s_o = (float(np.sqrt(np.mean(np.square(sd)))) for sd in (background_sd, innovation.observation_sd))
    return np.asarray(large_scale_increment(innovation.values, s_b, s_o, scale_filter(transform, scales)), np.float64)
