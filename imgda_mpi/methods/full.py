"""The full solver: the Kalman update on the observed pixels, exact for gaps and for the frame's redundancy.

With H that picks the observed pixels, the innovation d, the signal S that it holds, the background error covariance B
that is a part of it, and white observation errors R, the increment is B H^T z with (H S H^T + R) z = d. Where
observation errors are white, S is B.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.covariances.covariance import Covariance, CovarianceErrors
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers, scale_filter
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.coefficients import CoefficientUpdate
from imgda_mpi.methods.method import Increment, made
from imgda_mpi.numerics.kalman import gain
from imgda_mpi.numerics.perturbations import random_signs
from imgda_mpi.numerics.problem import Fact, Observations, Problem

N_SIGNS = 2  # random images that the expected errors are estimated from
EXPECTED_TOLERANCE = 0.01  # of the systems solved for them


class FullUpdate(CoefficientUpdate):
    """All observed pixels together; land that was not observed gets what B carries there.

    Parameters are those of `CoefficientUpdate`; of the most likely increment the part that the scales carry is applied.
    With ``diagnose`` it finds what the increment does not need: statistics of wedges, where B has variances of them,
    and the errors to be expected of an update of all scales, which take some solutions more.
    """

    solver = "full"

    def __init__(
        self,
        errors: CovarianceErrors,
        transform: CurveletTransform,
        scales: Collection[int] | None = None,
        *,
        diagnose: bool = True,
    ) -> None:
        super().__init__(errors, transform, scales)
        self._covariance_of, self._diagnose = errors.covariance, diagnose
        self.uses_features = errors.uses_features

    def check(self, grid: Grid, observations: Observations) -> None:
        """Refuse what `CoefficientUpdate` refuses, and columns on which members cannot be localised."""
        super().check(grid, observations)
        if self.needs_members and not grid.has_equal_columns:
            raise ConfigError("the full solver with members needs columns of equal width; take the diagonal solver")

    def _update(
        self, problem: Problem, embedded: Problem, summary: str, facts: Mapping[str, Fact], comm: MPI.Intracomm
    ) -> Increment:
        (ny, nx), innovation = problem.grid.shape, embedded.innovation
        powers = WedgePowers(self._transform, comm)
        image_rows = powers.image_rows
        covariance = self._covariance_of(image_rows, powers, embedded)
        system = ObservedSystem(image_rows, covariance, innovation)
        solution = system.solve(innovation.values[image_rows.own])
        increment = system.increment(solution.values)
        verdict = consistency(image_rows, covariance, innovation, solution.values, increment)
        parts = covariance.parts(system.adjoint(solution.values)) if self._diagnose else {}
        if self._scales is not None:
            factors = scale_filter(self._transform, self._scales)[:, image_rows.own_columns]
            increment = image_rows.filter(increment, factors)
            parts = {name: image_rows.filter(part, factors) for name, part in parts.items()}
        statistics = None
        if self._diagnose:
            variances = covariance.coefficient_variances(powers, seed=problem.seed, time=problem.time)
            if variances is not None:
                statistics = wedge_statistics(powers, variances, innovation, increment)
        summary += f"{covariance.summary}: {solution.iterations} iterations, residual {solution.residual:.1e}"
        facts = {
            **facts,
            **covariance.facts,
            **parts_of_increment(image_rows, parts, increment, embedded.land),
            "solver_iterations": Fact(solution.iterations, "1", "of the conjugate gradients"),
            "solver_residual": Fact(solution.residual, "1", "of the conjugate gradients, relative to the innovation"),
            **verdict,
        }
        if self._diagnose and self._scales is None:
            signs = (
                random_signs(image_rows.shape, seed=problem.seed, time=problem.time, member=1 + n, rows=image_rows.own)
                for n in range(N_SIGNS)
            )
            expected = expected_errors(image_rows, covariance, system, embedded, signs)
            for name, value in expected.items():
                what, where = name.split("_")
                cells = {"observed": "observed cells", "unseen": "land not observed"}[where]
                meaning = f"root mean square error to be expected of the {what}, {cells}, if B and R are right"
                facts[f"expected_error_{name}"] = Fact(value, "m3 m-3", meaning)
            unseen = expected["analysis_unseen"]
            on_unseen = "" if np.isnan(unseen) else f", {unseen:.3f} on unseen land"
            seen = expected["analysis_observed"]
            summary += (
                f"; expected error {'not told' if np.isnan(seen) else format(seen, '.3f') + ' m3 m-3'}{on_unseen}"
            )
        images = {name: image_rows.whole(part)[:ny, :nx] for name, part in parts.items()}
        return made(
            problem,
            image_rows.whole(increment)[:ny, :nx],
            summary,
            facts,
            unseen_too=True,
            wedges=statistics if comm.rank == 0 else None,
            sent=image_rows.sent,
            parts=images if comm.rank == 0 else {},
        )


def consistency(
    image_rows: ImageRows,
    covariance: Covariance,
    innovation: Observations,
    solution: FloatArray,
    increment: FloatArray,
) -> dict[str, Fact]:
    """Whether an innovation is as large as its errors say, from the solution z of the update and its increment.

    Collective; own rows (n_own, nx).

    With observation minus analysis o the mean of d o is the variance of the observation errors, if they are what the
    update took them for (Desroziers et al. 2005, Q. J. R. Meteorol. Soc. 131, 3385).
    """
    own, n = innovation.rows(image_rows.own), int(np.count_nonzero(innovation.observed))
    ones, inner = own.apply(np.ones_like(own.values)), image_rows.inner
    mean, power = inner(ones, own.values) / n, inner(own.values, own.values) / n
    signal = own.apply(covariance.apply_signal(own.adjoint(ones)))
    # A bias that went into the signal is not expected: neither as an error of its own, nor as its part of the power.
    spread = (inner(ones, signal) + inner(ones, own.noise)) / n**2 - covariance.mean_variance
    if covariance.mean_variance == 0 and power > 0:
        spread *= 1 - mean**2 / power
    errors = inner(ones, own.noise + covariance.coherent_variance) / n
    by_analysis = inner(own.values, own.values - own.apply(increment)) / n
    return {
        "chi2": Fact(inner(own.values, solution) / n, "1", "d (H S H^T + R)^-1 d over the observed cells: 1 expected"),
        "innovation_mean": Fact(mean, "m3 m-3", "mean of observation minus background"),
        "innovation_mean_expected": Fact(
            float(np.sqrt(max(spread, 0.0))), "m3 m-3", "standard deviation of this mean, if there are no biases"
        ),
        "observation_error": Fact(float(np.sqrt(errors)), "m3 m-3", "standard deviation of all observation errors"),
        "observation_error_by_analysis": Fact(
            float(np.sqrt(max(by_analysis, 0.0))), "m3 m-3", "the same, as observation minus analysis says it"
        ),
    }


def parts_of_increment(
    image_rows: ImageRows, parts: Mapping[str, FloatArray], increment: FloatArray, land: BoolArray
) -> dict[str, Fact]:
    """How much of an increment follows which features of the place, from its parts. Collective.

    Parts and increment are own rows (n_own, nx) m3 m-3, ``land`` is (ny, nx). Of what no features carry the name is
    "distance".
    """
    if not parts:
        return {}
    cells, inner = land[image_rows.own].astype(np.float64), image_rows.inner
    meanings = {name: f"the {name} of the cells" for name in parts}
    meanings["distance"] = "distance and direction, or members"
    power, found = inner(cells * increment, increment), {}
    for name, part in {**parts, "distance": increment - sum(parts.values())}.items():
        rms = float(np.sqrt(inner(cells * part, part) / max(int(np.count_nonzero(land)), 1)))
        share = inner(cells * part, increment) / power if power > 0 else float("nan")
        found[f"increment_rms_{name}"] = Fact(
            rms, "m3 m-3", f"root mean square of what the increment has by {meanings[name]}, on land"
        )
        found[f"increment_part_{name}"] = Fact(
            share, "1", f"part of the increment by {meanings[name]}: its projection, on land"
        )
    return found


def expected_errors(
    image_rows: ImageRows, covariance: Covariance, system: ObservedSystem, problem: Problem, signs: Iterable[FloatArray]
) -> dict[str, float]:
    """What errors are to be expected if B and R are right. Collective.

    The variance of the analysis is the diagonal of A = B - B H^T M^-1 H B, of which random signs v give an
    estimate v (A v) in every pixel; its means over many pixels have a relative error of about the square root of 2
    over the number of signs (own rows of `random_signs`) and of independent patches. All are on the array of the rows.

    Returns
    -------
    dict
        Root mean square errors, m3 m-3, of background and analysis over the observed pixels and over the land that was
        not observed; NaN where there is no such pixel, and where there are too few for the signs to tell.
    """
    land, observed, sums = problem.land, problem.observations.observed, np.zeros(4)
    masks, n_signs = [observed & land, land & ~observed], 0
    for image in signs:
        n_signs += 1
        own = image * land[image_rows.own]
        after = covariance.apply(own)
        after -= system.increment(system.solve(system.apply(after), EXPECTED_TOLERANCE).values)
        for place, mask in enumerate(masks):
            sums[2 * place + 1] += image_rows.inner(own * mask[image_rows.own], after)
    for place, mask in enumerate(masks):
        sums[2 * place] = n_signs * image_rows.inner(covariance.variance, mask[image_rows.own].astype(np.float64))
    counts = n_signs * np.repeat([np.count_nonzero(mask) for mask in masks], 2)
    means = np.divide(sums, counts, out=np.full(4, np.nan), where=counts > 0)
    names = ("background_observed", "analysis_observed", "background_unseen", "analysis_unseen")
    # An estimate of few pixels may come out below 0.
    return dict(zip(names, np.sqrt(np.where(means < 0, np.nan, means)).tolist(), strict=True))


def wedge_statistics(
    powers: WedgePowers, variances: FloatArray, innovation: Observations, increment: FloatArray
) -> WedgeStatistics:
    """Powers of each wedge, and what is known of its variances, as if all was observed land. Collective.

    ``variances`` are those of `Covariance.coefficient_variances`, ``increment`` is own rows (n_own, nx) m3 m-3.
    """
    layout, own = powers.transform.layout, powers.image_rows.own
    n_values = np.array([wedge.stop - wedge.start for wedge in layout.wedges])
    norms = powers.norms * innovation.values.size / n_values
    background, coherent = norms * variances
    observation = norms * float(innovation.variance.mean()) + coherent
    values = {
        "innovation_power_mean": powers.of(innovation.values[own]) / n_values,
        "increment_power_mean": powers.of(increment) / n_values,
        "observation_variance_mean": observation,
        "background_variance_mean": background,
        "gain_mean": gain(background, observation),
    }
    number = np.array([wedge.number for wedge in layout.wedges])
    return WedgeStatistics(powers.scale, number, values)
