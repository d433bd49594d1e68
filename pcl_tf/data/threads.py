"""Work of several threads, in order and in bounded memory."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """``map`` by several threads. At most threads + 1 items are taken from the iterable before the first result is.

    Args:
      function: of one item, called by the threads.
      items: read by the caller's thread.
      threads: how many.

    Yields:
      results in the order of the items; an exception of the function is raised in its place.
    """
    ahead: collections.deque[Future[R]] = collections.deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
