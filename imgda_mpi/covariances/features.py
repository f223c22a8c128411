"""B with a part on features of the place: errors that two places share because they are alike, however far apart."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.fourier import length_of
from imgda_mpi.numerics.perturbations import Sample, random_signs
from imgda_mpi.numerics.problem import Fact, Observations

N_IMAGES = 8  # that powers of features are estimated with
SIGNS_OF_FEATURES = 2000  # number of the signs: lower ones are those of the expected errors


class FeaturedCovariance(Covariance):
    """B = (1 - a) S of a signal S = S_w + Z diag(b_g) Z^T, with the filter S_w of wedges and a part of low rank.

    Parameters
    ----------
    wedges : S_w, with its share a
    features : Z, of the same rows
    group_variances : b_g, of the features of each group, (n_groups,) (m3 m-3)2
    coherent_share : a
    near : the preconditioner of such a signal with variances that are near to these, and with the same noise: one that
        will do for the weight 1; made anew unless given
    """

    def __init__(
        self,
        wedges: WedgeCovariance,
        features: CellFeatures,
        group_variances: FloatArray,
        coherent_share: float = 0.0,
        near: Woodbury | None = None,
    ) -> None:
        self._wedges, self._features, self._share, self._near = wedges, features, coherent_share, near
        self.group_variances, self._variances = group_variances, group_variances[features.group]
        self.mean_variance = wedges.mean_variance
        of_features = features.squares(self._variances)
        self.facts = {
            fact: value
            for number, name in enumerate(features.names)
            for fact, value in self._facts_of(name, number).items()
        }
        by_distance = float(np.sqrt(wedges.signal_variance))
        self.facts["feature_sd_distance"] = Fact(
            by_distance, "m3 m-3", "standard deviation of the signal by distance and direction"
        )
        self.summary = f", features of {', '.join(features.names)}"
        self.variance = wedges.variance + (1 - coherent_share) * of_features
        self.coherent_variance = wedges.coherent_variance + coherent_share * of_features

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return (1 - self._share) * self.apply_signal(rows)

    def apply_coherent(self, rows: FloatArray) -> FloatArray:
        """S - B times an image, (n_own, nx). Collective."""
        return self._share * self.apply_signal(rows) if self._share > 0 else np.zeros_like(rows)

    def apply_signal(self, rows: FloatArray) -> FloatArray:
        """S times an image, (n_own, nx). Collective."""
        of_features = self._features.spread(self._variances * self._features.of(rows))
        return self._wedges.apply_signal(rows) + of_features

    def observed_signal(self, observations: Observations) -> Callable[[FloatArray], FloatArray]:
        """H S H^T of own rows, with the features of what is observed alone. Not collective; calling it is."""
        of_wedges, seen = self._wedges.observed_signal(observations), self._features_of(observations)

        def signal(rows: FloatArray) -> FloatArray:
            result = of_wedges(rows)
            seen.add(result, self._variances * seen.of(rows))
            return result

        return signal

    def parts(self, rows: FloatArray) -> dict[str, FloatArray]:
        """B times an image (n_own, nx), by the group of features that it comes from. Collective."""
        weights, group = (1 - self._share) * self._variances * self._features.of(rows), self._features.group
        return {
            name: self._features.spread(np.where(group == number, weights, 0.0))
            for number, name in enumerate(self._features.names)
        }

    def coefficient_variances(self, powers: WedgePowers, *, seed: int, time: datetime) -> FloatArray:
        """Of B and of S - B, with what features have in a wedge, (2, n_wedges) (m3 m-3)2. Collective.

        Z diag(b) Z^T has the power that Z sqrt(b) e has in the mean over random signs e. It is estimated with a few
        images that share the features out: neighbouring knots, which have much in common, are in different ones.
        """
        features, shape = self._features, (1, self._variances.size)
        signs = random_signs(shape, seed=seed, time=time, member=SIGNS_OF_FEATURES)[0]
        weights, image_of = signs * np.sqrt(self._variances), np.arange(signs.size) % N_IMAGES
        power = np.zeros_like(powers.norms)
        for number in range(N_IMAGES):
            rows = features.spread(np.where(image_of == number, weights, 0.0))
            power += powers.of(rows)
        shares = np.array([[1 - self._share], [self._share]])
        of_wedges = self._wedges.coefficient_variances(powers, seed=seed, time=time)
        return np.asarray(of_wedges + shares * power / (powers.norms * features.n_land))

    def draw(self, sample: Sample) -> FloatArray:
        """A draw of the wedges and one of the features, (n_own, nx) m3 m-3. Collective."""
        white = sample.white((1, self._variances.size), 1)[0]
        of_features = self._features.spread(np.sqrt((1 - self._share) * self._variances) * white)
        return self._wedges.draw(sample) + of_features

    def preconditioner(self, innovation: Observations, weight: float = 1.0) -> Woodbury:
        """That of the wedges, corrected for the features. Collective."""
        if self._near is not None and weight == 1.0:
            return self._near.with_variances(self._variances)
        invert = self._wedges.preconditioner(innovation, weight)
        return Woodbury(invert, self._features_of(innovation), weight * self._variances)

    def _features_of(self, observations: Observations) -> CellFeatures:
        """Those of what is observed."""
        return self._features.within(observations.observed) if self._near is None else self._near.features

    def _facts_of(self, name: str, number: int) -> dict[str, Fact]:
        """Of a group of features."""
        variance = float(self.group_variances[number])
        sd = float(np.sqrt(variance * self._features.mean_squares[number]))
        return {
            f"feature_count_{name}": Fact(
                int(np.count_nonzero(self._features.group == number)), "1", f"features of the {name} of the cells"
            ),
            f"feature_variance_{name}": Fact(
                variance, "(m3 m-3)2", f"variance of the signal on each feature of the {name} of the cells"
            ),
            f"feature_sd_{name}": Fact(
                sd, "m3 m-3", f"standard deviation that the signal has by the {name} of the cells, on land"
            ),
        }


class Woodbury:
    """(A + H Z diag(v) Z^T H^T)^-1 from an approximate inverse G of A: G - G Z (diag(1/v) + Z^T G Z)^-1 Z^T G.

    (Woodbury 1950.) A call applies it to an image (n_own, nx) that is 0 where nothing is observed. Making one and
    calling it is collective.

    Parameters
    ----------
    invert : G, which is symmetric and positive definite on the observed pixels
    features : Z of what is observed
    variances : v, (n_features,) (m3 m-3)2

    Attributes
    ----------
    features : as given
    traces : of Z_g^T P Z_g with the features of each group and P what this applies, (n_groups,) (m3 m-3)-2
    """

    def __init__(
        self, invert: Callable[[FloatArray], FloatArray], features: CellFeatures, variances: FloatArray
    ) -> None:
        self._invert, self.features, self._rows = invert, features, features.image_rows
        # G Z on the observed pixels, block by block: single precision is enough to precondition with.
        self._inverted, shape = features.columns(), (length_of(self._rows.own), self._rows.shape[1])
        for number in range(variances.size):
            column = np.zeros(shape)
            for n, block in self._rows.own_blocks.items():
                column[block].reshape(-1)[features.cells[n]] = self._inverted[n][number]
            inverted = invert(column)
            for n, block in self._rows.own_blocks.items():
                self._inverted[n][number] = inverted[block].reshape(-1)[features.cells[n]]
        products = features.products_with(self._inverted)
        self._products = (products + products.T) / 2
        self._set_variances(variances)

    def with_variances(self, variances: FloatArray) -> Woodbury:
        """The same with other variances v of the features. Not collective."""
        other = copy(self)
        other._set_variances(variances)
        return other

    def _set_variances(self, variances: FloatArray) -> None:
        products, root = self._products, np.sqrt(variances)
        inner = np.eye(root.size) + root[:, None] * products * root
        self._inner = root[:, None] * np.linalg.inv(inner) * root
        of_features = np.diag(products - products @ self._inner @ products)
        self.traces = np.asarray(np.bincount(self.features.group, of_features, len(self.features.names)), np.float64)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """P times an image, (n_own, nx)."""
        result, blocks, cells = self._invert(rows), self._rows.own_blocks, self.features.cells
        parts = {
            n: inverted @ rows[blocks[n]].reshape(-1)[cells[n]].astype(np.float32)
            for n, inverted in self._inverted.items()
        }
        weights = (self._inner @ self._rows.total(parts, self._inner.shape[:1])).astype(np.float32)
        for n, inverted in self._inverted.items():
            result[blocks[n]].reshape(-1)[cells[n]] -= weights @ inverted
        return result
