"""What a server's answer must be before it is taken for features: other models and other services answer too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class ServerError(Exception):
    """The server cannot answer requests like this one; what it said is in args."""


class Unavailable(ServerError):
    """The server cannot answer now: it may later.

    Attributes:
      after: seconds it asked to be left alone, or 0.
    """

    after = 0.0


class Rejected(ServerError):
    """The server found something wrong with the images of a request."""


class Failed(ServerError):
    """The server failed at a request, or finds it too large: a smaller one may do."""


def features(outputs: Mapping[str, Any], count: int, needed: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Checks the outputs of a request.

    Args:
      outputs: {name: anything numpy makes an array of, a row an image}.
      count: images that were asked for.
      needed: names that must be among them.

    Returns:
      {name: float32 [count, D]}.

    Raises:
      ServerError: other outputs, another number of rows, or no rows of numbers.
    """
    missing = [name for name in needed if name not in outputs]
    if missing:
        raise ServerError(
            f"the model gives {', '.join(sorted(map(str, outputs))) or 'nothing'}, not {missing[0]}: is it an export of"
            " pcl_tf? --model names it."
        )
    found = {}
    for name in needed or outputs:
        try:
            values = np.asarray(outputs[name], np.float32)
        except (ValueError, TypeError) as error:
            raise ServerError(f"the model's {name} is no row of numbers an image ({error}).") from error
        if values.ndim < 1 or len(values) != count:
            rows = len(values) if values.ndim else "no"
            raise ServerError(f"the model gives {rows} rows of {name} for {count} images.")
        if values.ndim != 2 or not values.shape[1]:
            raise ServerError(f"the model's {name} is {list(values.shape[1:])} an image, not a row of numbers.")
        found[name] = values
    return found


def rows_as_columns(reply: Any, count: int) -> dict[str, list[Any]]:
    """Turns the body of a REST answer, ``{"predictions": [{name: row}, ..]}``, into {name: list of rows}.

    Raises:
      ServerError: it is something else.
    """
    rows = reply.get("predictions") if isinstance(reply, dict) else None
    if not isinstance(rows, list):
        said = f": {str(reply['error'])[:200]}" if isinstance(reply, dict) and "error" in reply else ""
        raise ServerError(f"no answer of TensorFlow Serving: 'predictions' is missing{said}.")
    if len(rows) != count:
        raise ServerError(f"the model gives {len(rows)} rows for {count} images.")
    if not all(isinstance(row, dict) for row in rows):
        raise ServerError("the model gives one output without a name: it is no export of pcl_tf. --model names it.")
    names = rows[0].keys()
    if any(row.keys() != names for row in rows):
        raise ServerError("the model gives different outputs for different images.")
    return {name: [row[name] for row in rows] for name in names}
