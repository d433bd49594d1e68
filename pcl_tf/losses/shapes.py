"""The shapes that a loss takes: one line names the argument, before TensorFlow broadcasts it in silence."""

import tensorflow as tf


def agree(**given: tuple[tf.Tensor, str]) -> None:
    """Checks ranks and common sizes, as far as they are known.

    Args:
      given: name of an argument -> (tensor or array, its dimensions, one letter each): ``agree(z1=(z1, "ND"), z2=(z2,
        "ND"))``. A letter is one size wherever it stands.

    Raises:
      ValueError: names the argument, and what it was to be.
    """
    known: dict[str, tuple[int, str]] = {}
    for name, (tensor, letters) in given.items():
        shape = tf.TensorShape(tensor.shape)
        if shape.rank is None:
            continue
        if shape.rank != len(letters):
            raise ValueError(f"{name} has shape {shape.as_list()}, not [{', '.join(letters)}].")
        for letter, size in zip(letters, shape.as_list(), strict=True):
            if size is None:
                continue
            first, where = known.setdefault(letter, (size, name))
            if first != size:
                raise ValueError(f"{name} has {letter} = {size}, and {where} has {letter} = {first}.")
