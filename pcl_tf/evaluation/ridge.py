"""Linear probes in closed form: nothing to tune by hand, nothing random."""

from collections.abc import Iterable

import numpy as np

PENALTIES = 10.0 ** np.arange(-4, 5)


class Ridge:
    """Ridge regression on standardised features; the penalty is chosen on a fifth of the training set (of fewer than five, on one).

    Args:
      features: float [N, D] of the training set.
      targets: float [N, K].
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray) -> None:
        x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
        self.mean, self.std = x.mean(0), x.std(0) + 1e-6
        held = np.arange(len(x)) % 5 == min(len(x), 5) - 1
        rest = ~held if len(x) > 1 else held
        inside = self._solutions(x[rest], y[rest], PENALTIES)
        errors = [np.square(self._apply(x[held], s) - y[held]).mean() for s in inside]
        self.penalty = PENALTIES[int(np.argmin(errors))]
        self.solution = self._solutions(x, y, [self.penalty])[0]

    def _standard(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x, np.float64) - self.mean) / self.std

    def _solutions(
        self, x: np.ndarray, y: np.ndarray, penalties: Iterable[float]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        z, offset = self._standard(x), y.mean(0)
        dual = len(z) < z.shape[1]  # the smaller of the two Gram matrices
        gram = z @ z.T if dual else z.T @ z
        values, vectors = np.linalg.eigh(gram)
        right = vectors.T @ ((y - offset) if dual else z.T @ (y - offset))
        out = []
        for penalty in penalties:
            w = vectors @ (right / (np.maximum(values, 0) + penalty * len(z))[:, None])
            out.append((z.T @ w if dual else w, offset))
        return out

    def _apply(self, x: np.ndarray, solution: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        weights, offset = solution
        return self._standard(x) @ weights + offset

    def predict(self, features: np.ndarray) -> np.ndarray:
        """float64 [N, K]."""
        return self._apply(features, self.solution)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """int [N] -> float64 [N, classes]."""
    return np.eye(classes)[np.asarray(labels)]


def accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Accuracy of a ridge classifier: (features, int labels) of both sets -> float in [0, 1]."""
    (train_x, train_y), (test_x, test_y) = train, test
    classes = int(max(np.max(train_y), np.max(test_y))) + 1
    scores = Ridge(train_x, one_hot(train_y, classes)).predict(test_x)
    return float((scores.argmax(1) == np.asarray(test_y)).mean())


def mean_absolute_error(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Mean absolute error of a ridge regression, averaged over outputs, in the unit of the targets; args as above."""
    return float(np.abs(Ridge(*train).predict(test[0]) - np.asarray(test[1])).mean())
