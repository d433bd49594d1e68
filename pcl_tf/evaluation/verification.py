"""Verification: do two images show one person? By cosine, and by cosine after a linear layer learnt on pairs.

Thresholds and layers of a fold come from the pairs of the other folds; those that share a picture with the fold teach no
layer, since a layer would know the answers of pictures that it has seen. The paper's Table 2 compares features after a layer
trained for 30 epochs on a cosine loss; ours is another, named for what it is: PCA followed by within-class whitening
(Hatch et al., 2006), which scales down what differs between pictures of one person. In closed form it gives the same numbers
on every machine, in seconds. Its strength and its threshold are chosen on the training pairs too, each scored by a layer
that has not seen it.
"""

from typing import Any

import numpy as np

from pcl_tf.errors import Refused

FARS = (1e-1, 1e-2, 1e-3)
WHITENED = "PCA and whitening"  # what the second similarity is called
LEAST = 20  # pairs of one person among the training pairs
_PARTS = 4  # of the training pairs, each scored by a layer of the others
# (directions kept, share of all images' covariance in that of one person's): the less is known, the more is mixed in.
_CHOICES = ((32, 0.5), (64, 0.1), (128, 0.1))
_PASSES = 3  # of the subspace iteration; more change no digit that is printed


def similarities(x: np.ndarray, pairs: np.ndarray, batch: int = 4096) -> np.ndarray:
    """Cosine similarity of the features of each pair: float [N, D], int [P, 2] -> float64 [P]."""
    out = []
    for i in range(0, len(pairs), batch):
        a, b = (np.asarray(x[pairs[i : i + batch, side]], np.float64) for side in (0, 1))
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        out.append((a * b).sum(1) / np.maximum(norms, 1e-12))
    return np.concatenate(out)


def best_threshold(values: np.ndarray, same: np.ndarray) -> float:
    """The threshold of highest accuracy of ``value > threshold``; midway to the next value, the lowest of equals."""
    order = np.argsort(values, kind="stable")
    values, same = np.asarray(values)[order], np.asarray(same)[order]
    # right[i]: accuracy when the i smallest are called different
    right = np.concatenate([[0], np.cumsum(1 - same)]) + np.concatenate([np.cumsum(same[::-1])[::-1], [0]])
    edges = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    apart = np.concatenate([[True], values[1:] > values[:-1], [True]])
    return float(edges[np.argmax(np.where(apart, right, -1))])


def verify(values: np.ndarray, same: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """Whether each pair is classified rightly, by the threshold of the other folds: float [P] and {fold: threshold}.

    Args:
      values, same, folds: float [P], higher is more alike; 0/1 [P]; int [P].
    """
    right, thresholds = np.zeros(len(values)), {}
    for fold in np.unique(folds):
        here = folds == fold
        thresholds[int(fold)] = best_threshold(values[~here], same[~here])
        right[here] = (values[here] > thresholds[int(fold)]) == (same[here] == 1)
    return right, thresholds


def operating_points(values: np.ndarray, same: np.ndarray) -> dict[str, Any]:
    """Rates of the similarities of all pairs together, accepted from any threshold on.

    Args:
      values, same: float [P], higher is more alike; 0/1 [P], both of them present.

    Returns:
      {'EER': float, where as many of two people are accepted as of one are rejected, on the line between the points of the
      ROC; 'TAR@FAR': {'0.1': float, ..}, the largest true accept rate whose false accept rate is at most each of FARS at
      which a pair of two people may pass at all}.
    """
    from sklearn.metrics import roc_curve  # a second, which tables need not wait

    far, tar, _ = roc_curve(same, values, drop_intermediate=False)
    apart = far - (1 - tar)  # from -1 to 1, rising
    after = int(np.argmax(apart >= 0))
    share = apart[after - 1] / (apart[after - 1] - apart[after])
    different = len(same) - int(np.sum(same))
    rates = {f"{limit:g}": float(tar[far <= limit].max()) for limit in FARS if different * limit > 1 - 1e-9}
    return {"EER": float(far[after - 1] + share * (far[after] - far[after - 1])), "TAR@FAR": rates}


def whitened(
    x: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """Scores every pair by a layer and a threshold of the other folds, as far as these share no picture with its own.

    Args:
      x: float [N, D] features.
      pairs: int [P, 2] rows of x; a picture is one row.
      same: 0/1 [P].
      folds: int [P], at least two.

    Returns:
      (similarity of each pair: float [P], whether it is classified rightly: float [P], protocol, the layer of the first
      fold: weights [D, K] and bias [K]).

    Raises:
      Refused: some fold leaves fewer than LEAST pairs of one person, or of two, to learn from.
    """
    right, values, thresholds, chosen, left_out = np.zeros(len(pairs)), np.zeros(len(pairs)), {}, {}, 0
    layers = []
    for fold in np.unique(folds):
        here = folds == fold
        train = _apart(pairs, here)
        left_out += int((~here & ~train).sum())
        two, one = np.bincount(same[train], minlength=2)
        if min(one, two) < LEAST:
            raise Refused(
                f"no layer is learnt on pairs: {one} of one person and {two} of two share no picture with fold {fold + 1};"
                f" at least {LEAST} of each are needed"
            )
        z, mean, basis = _reduced(x, pairs, train)
        # Parts of the training pairs are whole folds, since these share nobody; of a single fold, every fourth pair.
        number = np.unique(folds[train], return_inverse=True)[1]
        parts = (number if number.max() else np.arange(len(number))) % _PARTS
        best: tuple[Any, ...] = (-1,)
        for width, share in _CHOICES:
            unseen = _unseen(z[:, :width], pairs[train], same[train], parts=parts, share=share)
            threshold = best_threshold(unseen, same[train])
            accuracy = float(((unseen > threshold) == (same[train] == 1)).mean())
            if accuracy > best[0]:
                best = (accuracy, width, share, threshold)
        _, width, share, threshold = best
        whitening = _whitening(z[:, :width], pairs[train], same[train], share=share)
        values[here] = similarities(z[:, :width] @ whitening, pairs[here])
        weights = basis[:, :width] @ whitening
        layers.append((weights.astype(np.float32), -mean @ weights))
        right[here] = (values[here] > threshold) == (same[here] == 1)
        thresholds[int(fold)], chosen[int(fold)] = threshold, [min(width, z.shape[1]), share]
    protocol = {
        "similarity": "cosine after PCA and within-class whitening, learnt on the pairs of the other folds",
        "threshold": "best on the pairs of the other folds, each scored by a layer that has not seen it",
        "thresholds": thresholds,
        "width_and_share": chosen,
        "left_out": left_out,  # pairs of other folds that share a picture with a fold, of all folds together
    }
    return values, right, protocol, layers[0]


def _apart(pairs: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Which pairs are not held out and share no picture with those that are: bool [P]."""
    return ~held & ~np.isin(pairs, pairs[held]).any(1)


def _reduced(x: np.ndarray, pairs: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of all images, found on those of the training pairs.

    Returns:
      (float64 [N, W], W at most 128, (x - mean) @ basis where a pair needs it; mean float32 [D]; basis [D, W]).
    """
    images = np.unique(pairs[train])
    fit = np.asarray(x[images], np.float32)
    mean = fit.mean(0)
    fit = fit - mean
    width = min(max(_CHOICES)[0], *fit.shape)
    # Subspace iteration, with a few directions to spare: the whole decomposition of 8192 features takes minutes.
    basis = np.random.RandomState(0).normal(size=(fit.shape[1], min(width + 32, *fit.shape))).astype(np.float32)
    for _ in range(_PASSES):
        basis, _ = np.linalg.qr(fit.T @ (fit @ basis))
    small = fit @ basis
    values, vectors = np.linalg.eigh(small.T @ small)
    keep = np.flatnonzero(values > 1e-6 * max(values.max(), 1e-30))[::-1][:width]
    basis = basis @ vectors[:, keep] if len(keep) else np.zeros((len(mean), 1), np.float32)
    out = np.zeros((len(x), basis.shape[1]))
    used = np.unique(pairs)
    out[used] = (np.asarray(x[used], np.float32) - mean) @ basis
    return out, mean, basis


def _whitening(z: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, share: float) -> np.ndarray:
    """The matrix that makes one person's differences alike in all directions: float64 [D, D]."""
    alike = pairs[same == 1]
    differ = z[alike[:, 0]] - z[alike[:, 1]]
    within = differ.T @ differ
    images = z[np.unique(pairs)]
    spread = images.T @ images
    mixed = (1 - share) * within / max(np.trace(within), 1e-12) + share * spread / max(np.trace(spread), 1e-12)
    values, vectors = np.linalg.eigh(mixed)
    return vectors / np.sqrt(np.maximum(values, 1e-12))


def _unseen(z: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, parts: np.ndarray, share: float) -> np.ndarray:
    """Similarity of each pair after a layer learnt on the other parts: float64 [P]."""
    out = np.zeros(len(pairs))
    for part in np.unique(parts):
        held = parts == part
        train = _apart(pairs, held)
        layer = _whitening(z, pairs[train], same[train], share=share)
        out[held] = similarities(z @ layer, pairs[held])
    return out
