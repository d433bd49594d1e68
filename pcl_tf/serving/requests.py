"""Many images through a server: in batches, again when it is away, one by one when an image is bad."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np

from pcl_tf.data.sources import Item
from pcl_tf.serving.answers import Failed, Rejected, ServerError, Unavailable
from pcl_tf.serving.transport import Grpc, Rest


def embed(
    transport: Grpc | Rest,
    items: Iterable[Item],
    *,
    batch: int = 32,
    retries: int = 5,
    wait: float = 0.5,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[str, dict[str, np.ndarray] | str]]:
    """Sends images in batches and yields what comes back, in order.

    A batch that the server refuses, or fails at, is sent again image by image, so that one bad image costs nobody
    else's features.

    Args:
      transport: ``Grpc`` or ``Rest``.
      items: iterable of (name, bytes), or (name, OSError) for what could not be read.
      batch: images of a request.
      retries: how often a request is sent again while the server is unavailable.
      wait: seconds before the first of these, doubled each time, at most 30; longer where the server says so.
      sleep: waits that long.

    Yields:
      (name, {feature: float32 [D]}) or (name, str: why there is none).

    Raises:
      ServerError: the server is away for good, fails at everything, cannot answer such requests, or has become another
        model on the way.
    """
    shapes: dict[str, tuple[int, ...]] = {}  # of the features that came first

    def ask(images: list[bytes]) -> dict[str, np.ndarray]:
        for attempt in itertools.count():
            try:
                return transport.predict(images)
            except Unavailable as unavailable:
                if attempt == retries:
                    raise
                sleep(max(unavailable.after, min(30.0, wait * 2 ** min(attempt, 30))))
        raise AssertionError  # count() has no end

    def answered(images: list[bytes]) -> list[dict[str, np.ndarray] | ServerError]:
        """A row of features, or what is wrong with it, an image."""
        out = ask(images)
        for name, values in out.items():
            if shapes.setdefault(name, values.shape[1:]) != values.shape[1:]:
                before, now = shapes[name][0], values.shape[1]
                raise ServerError(f"the server's model is another than before: {name} had {before} numbers, now {now}.")
        return [_finite({name: values[i] for name, values in out.items()}) for i in range(len(images))]

    def one(image: bytes) -> dict[str, np.ndarray] | ServerError:
        try:
            return answered([image])[0]
        except (Rejected, Failed) as error:
            return error

    def rows(images: list[bytes]) -> list[dict[str, np.ndarray] | ServerError]:
        try:
            return answered(images)
        except (Rejected, Failed) as error:
            found: list[dict[str, np.ndarray] | ServerError]
            found = [one(image) for image in images] if len(images) > 1 else [error]
        # Where nothing but failures comes, it is not the images.
        if all(isinstance(row, Failed) for row in found) and (len(images) > 1 or not shapes):
            raise cast(Failed, found[-1])
        return found

    items = iter(items)
    while chunk := list(itertools.islice(items, batch)):
        readable = [data for _, data in chunk if isinstance(data, bytes)]
        answers = iter(rows(readable) if readable else [])
        for name, data in chunk:
            answer = next(answers) if isinstance(data, bytes) else data
            yield name, answer if isinstance(answer, dict) else str(answer)


def _finite(row: dict[str, np.ndarray]) -> dict[str, np.ndarray] | ServerError:
    """The features themselves, or why they are not to be used."""
    wrong = [name for name, values in row.items() if not np.isfinite(values).all()]
    return Rejected(f"the model's {wrong[0]} is not finite") if wrong else row
