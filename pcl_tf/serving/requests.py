"""Many images through a server: in batches, again when it is away, one by one when an image is bad."""

import itertools
import time

from pcl_tf.serving.transport import Refused, Unavailable


def embed(transport, items, batch=32, retries=5, wait=0.5, sleep=time.sleep):
    """Sends images in batches and yields what comes back, in order.

    A batch that the server refuses is sent again image by image, so that one bad image costs nobody else's features.

    Args:
      transport: ``Grpc`` or ``Rest``.
      items: iterable of (name, bytes), or (name, OSError) for what could not be read.
      batch: images of a request.
      retries: how often a request is sent again while the server is unavailable.
      wait: seconds before the first of these, doubled each time, at most 30.
      sleep: waits that long.

    Yields:
      (name, {feature: float32 [D]}) or (name, str: why there is none).

    Raises:
      ServerError: the server is away for good, or cannot answer such requests.
    """

    def ask(images):
        for attempt in itertools.count():
            try:
                return transport.predict(images)
            except Unavailable:
                if attempt == retries:
                    raise
                sleep(min(30.0, wait * 2**attempt))

    def rows(images):
        try:
            out = ask(images)
        except Refused as refused:
            if len(images) == 1:
                return [str(refused)]
            return [row for image in images for row in rows([image])]
        return [{name: values[i] for name, values in out.items()} for i in range(len(images))]

    items = iter(items)
    while chunk := list(itertools.islice(items, batch)):
        readable = [data for _, data in chunk if isinstance(data, bytes)]
        answers = iter(rows(readable) if readable else [])
        for name, data in chunk:
            yield name, next(answers) if isinstance(data, bytes) else str(data)
