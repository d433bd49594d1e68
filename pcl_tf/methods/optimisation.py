"""Adam, its learning-rate schedule and its two kinds of weight decay."""

from typing import Any

import keras


def schedule(base: float, total: int, warmup: int = 0) -> keras.optimizers.schedules.LearningRateSchedule:
    """Cosine to 0 with linear warm-up; total and warmup in optimiser updates."""
    rising: dict[str, Any] = {"warmup_target": base, "warmup_steps": warmup} if warmup else {}
    return keras.optimizers.schedules.CosineDecay(0.0 if warmup else base, max(1, total - warmup), **rising)


class _Summed:
    """Base of optimisers that take gradients already summed over replicas.

    Keras clips each replica's own gradients and sums them afterwards, which is another clipping than one replica's, and
    sends them twice where a norm is logged. It has no public way to leave the sum out.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        return grads_and_vars


class Adam(_Summed, keras.optimizers.Adam):
    """Keras' Adam of summed gradients."""


class AdamW(_Summed, keras.optimizers.AdamW):
    """Keras' AdamW of summed gradients."""


def optimizer(
    learning_rate: float,
    total_updates: int,
    *,
    warmup_updates: int = 0,
    decay: float = 0.0,
    decay_kind: str = "coupled",
    clip_norm: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam(.9, .999) with torch's epsilon.

    Args:
      learning_rate: peak.
      total_updates, warmup_updates: length of the schedule, in updates.
      decay: weight-decay coefficient.
      decay_kind: 'coupled' (L2 in the gradient, the released code; applied by the
        method, which sees the loss scale) or 'decoupled' (AdamW).
      clip_norm: global gradient norm above which gradients are scaled down, or None.

    Returns:
      keras.optimizers.Optimizer.
    """
    rate = schedule(learning_rate, total_updates, warmup_updates)
    common = dict(learning_rate=rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8, global_clipnorm=clip_norm or None)
    if decay_kind == "decoupled" and decay:
        return AdamW(weight_decay=decay, **common)
    return Adam(**common)
