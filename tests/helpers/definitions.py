"""The paper's losses as they are defined: in numpy and float64, one anchor and one negative at a time."""

import numpy as np


def _cross_entropy(anchor, candidates, tau):
    """-log of the softmax of the first candidate's cosine with the anchor."""
    a = anchor / np.linalg.norm(anchor)
    logits = [a @ v / np.linalg.norm(v) / tau for v in candidates]
    return np.log(np.exp(logits).sum()) - logits[0]


def nt_xent(z, tau, mix=None, permutation=None):
    """Eq. 6 over [2N, D]; mix [2N, 2N - 2] and permutation [2N - 2] as ``face_logits`` takes them."""
    z, rows = np.asarray(z, np.float64), len(z)
    losses = []
    for i in range(rows):
        positive = (i + rows // 2) % rows
        negatives = [z[j] for j in range(rows) if j not in (i, positive)]
        if mix is not None:
            negatives = [
                mix[i, k] * negatives[k] + (1 - mix[i, k]) * negatives[permutation[k]] for k in range(len(negatives))
            ]
        losses.append(_cross_entropy(z[i], [z[positive], *negatives], tau))
    return np.mean(losses)


def pose_info_nce(z, negatives, tau, mix=None, permutation=None):
    """Eq. 5 over [2P, D] and image-major negatives [P * M, D]; mix [P, M] and permutation [M]."""
    z, p = np.asarray(z, np.float64), len(z) // 2
    groups = np.asarray(negatives, np.float64).reshape(p, -1, z.shape[1])
    losses = []
    for anchor in range(2 * p):
        image, candidates = anchor % p, [z[(anchor + p) % (2 * p)]]
        for k, n in enumerate(groups[image]):
            other = groups[image][0 if permutation is None else permutation[k]]
            candidates.append(n if mix is None else mix[image, k] * n + (1 - mix[image, k]) * other)
        losses.append(_cross_entropy(z[anchor], candidates, tau))
    return np.mean(losses)
