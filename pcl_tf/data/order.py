"""Which faces a step sees: a pure function of (seed, step), so that resuming needs no iterator state."""

import functools

import numpy as np


class Order:
    """Which of count faces step t sees, batch a step: epochs of permutations drawn by seed, each face once an epoch."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        # Batches are loaded by several threads, around an epoch's end for two epochs at once.
        self._permutation = functools.lru_cache(maxsize=2)(self._shuffle)

    def _shuffle(self, epoch: int) -> np.ndarray:
        return np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(self.count)

    def rows(self, step: int) -> np.ndarray:
        """int64 [batch]: the faces of this step. Batches run across epoch ends, so none is short."""
        position, out = int(step) * self.batch, []
        missing = self.batch
        while missing:
            epoch, at = divmod(position, self.count)
            part = self._permutation(epoch)[at : at + missing]
            out.append(part)
            position, missing = position + len(part), missing - len(part)
        return np.concatenate(out)


def generator(seed: int, step: int) -> np.random.Generator:
    """What a step draws beside its order: a pure function of (seed, step); ``Order`` takes the keys below 2^32."""
    return np.random.Generator(np.random.Philox(key=[seed, 2**32 + int(step)]))
