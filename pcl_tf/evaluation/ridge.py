"""Linear probes in closed form: nothing to tune by hand, nothing random."""

import dataclasses
from collections.abc import Iterable

import numpy as np

PENALTIES = 10.0 ** np.arange(-4, 5)


class Ridge:
    """Ridge regression on standardised features. Most of its time goes into the features, once for any number of targets.

    Args:
      features: float [N, D] of the training set.
    """

    def __init__(self, features: np.ndarray) -> None:
        x = np.asarray(features, np.float64)
        self.mean, self.std = x.mean(0), x.std(0) + 1e-6
        z = self.standard(x)
        self.held = np.arange(len(z)) % 5 == min(len(z), 5) - 1
        self.rest = ~self.held if len(z) > 1 else self.held
        self._inside, self._whole, self._tests = _Gram(z[self.rest]), _Gram(z), z[self.held]

    def standard(self, features: np.ndarray) -> np.ndarray:
        """float64 [n, D]: less the mean of the training set, over its standard deviation."""
        return (np.asarray(features, np.float64) - self.mean) / self.std

    def fit(self, targets: np.ndarray) -> "Fitted":
        """The penalty is chosen on a fifth of the training set (of fewer than five, on one).

        Args:
          targets: float [N, K].
        """
        y = np.asarray(targets, np.float64)
        inside = self._inside.solutions(y[self.rest], PENALTIES)
        errors = [np.square(self._tests @ w + offset - y[self.held]).mean() for w, offset in inside]
        penalty = PENALTIES[int(np.argmin(errors))]
        ((weights, offset),) = self._whole.solutions(y, [penalty])
        return Fitted(self, float(penalty), weights, offset)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What a ``Ridge`` has learnt of some targets.

    Attributes:
      ridge: that learnt it.
      penalty: that was chosen, one of PENALTIES.
      weights, offset: float64 [D, K] and [K].
    """

    ridge: Ridge
    penalty: float
    weights: np.ndarray
    offset: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float64 [n, K]."""
        return self.ridge.standard(features) @ self.weights + self.offset


class _Gram:
    """The smaller Gram matrix of some rows, by its eigenvectors: solutions of all penalties are products then.

    Args:
      z: float64 [n, D], standardised.
    """

    def __init__(self, z: np.ndarray) -> None:
        self.z, self.dual = z, len(z) < z.shape[1]
        self.values, self.vectors = np.linalg.eigh(z @ z.T if self.dual else z.T @ z)

    def solutions(self, y: np.ndarray, penalties: Iterable[float]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights [D, K] and offset [K] of each penalty, for targets [n, K] of the rows."""
        offset = y.mean(0)
        right = self.vectors.T @ ((y - offset) if self.dual else self.z.T @ (y - offset))
        out = []
        for penalty in penalties:
            w = self.vectors @ (right / (np.maximum(self.values, 0) + penalty * len(self.z))[:, None])
            out.append((self.z.T @ w if self.dual else w, offset))
        return out


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """int [N] -> float64 [N, classes]."""
    return np.eye(classes)[np.asarray(labels)]


def accuracy(ridge: Ridge, labels: np.ndarray, test: tuple[np.ndarray, np.ndarray]) -> float:
    """Accuracy of a ridge classifier.

    Args:
      ridge: of the training set's features.
      labels: int [N] of the training set.
      test: (features [n, D], int labels [n]).

    Returns:
      float in [0, 1].
    """
    features, known = test
    classes = int(max(np.max(labels), np.max(known))) + 1
    scores = ridge.fit(one_hot(labels, classes)).predict(features)
    return float((scores.argmax(1) == np.asarray(known)).mean())


def mean_absolute_error(ridge: Ridge, targets: np.ndarray, test: tuple[np.ndarray, np.ndarray]) -> float:
    """Mean absolute error of a ridge regression, averaged over outputs, in the unit of the targets.

    Args:
      ridge: of the training set's features.
      targets: float [N, K] of the training set.
      test: (features [n, D], targets [n, K]).
    """
    features, known = test
    return float(np.abs(ridge.fit(targets).predict(features) - np.asarray(known)).mean())
