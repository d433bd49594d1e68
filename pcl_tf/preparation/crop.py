"""Which square of a picture is the face."""

import itertools
import threading

import numpy as np

from pcl_tf.data.images import centre, resize
from pcl_tf.data.sources import Broken

_LARGEST = 640  # pixels of the longer side the detector sees: faces worth training on are found there, ten times faster
_OF_THREAD = threading.local()
_SMALLEST = 0.1  # a face's side, of the shorter side of the picture


def detected(image, margin=1.5):
    """The square around the largest face that is found.

    Args:
      image: uint8 [H, W, 3].
      margin: side of the square, in sides of the detector's box; it is moved, and if need be made smaller, to lie
        inside the picture.

    Returns:
      uint8 [S, S, 3], or None where no face is found.

    Raises:
      Broken: OpenCV is not installed.
    """
    cv2, cascade = _cascade()
    height, width = image.shape[:2]
    scale = min(1.0, _LARGEST / max(height, width))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    least = max(24, round(_SMALLEST * min(small.shape)))
    boxes = cascade.detectMultiScale(small, scaleFactor=1.1, minNeighbors=5, minSize=(least, least))
    if not len(boxes):
        return None
    left, top, box, _ = boxes[np.argmax(boxes[:, 2])] / scale
    side = min(round(margin * box), height, width)
    row = int(np.clip(round(top + box / 2 - side / 2), 0, height - side))
    column = int(np.clip(round(left + box / 2 - side / 2), 0, width - side))
    return image[row : row + side, column : column + side]


def _cascade():
    """OpenCV and its frontal face detector (Viola and Jones), one for each thread: it keeps state while it works."""
    try:
        import cv2
    except ImportError as error:
        raise Broken("--detect needs OpenCV: pip install -r requirements-prepare.txt") from error
    if not hasattr(_OF_THREAD, "cascade"):
        cv2.setNumThreads(1)  # several pictures are worked on side by side
        _OF_THREAD.cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")
    return cv2, _OF_THREAD.cascade


def square(image, share=1.0, margin=0.0):
    """The face of a picture.

    Args:
      image: uint8 [H, W, 3].
      share: of the shorter side that the central square takes.
      margin: detect the face, with this margin; 0 takes the centre.

    Returns:
      uint8 [S, S, 3], or None where no face is found.
    """
    return detected(image, margin) if margin else centre(image, share)


def resized(squares, size):
    """Resizes squares as everywhere in pcl_tf, up to sixteen of one shape at once: four times faster than one by one.

    Args:
      squares: iterable of uint8 [S, S, 3].
      size: side in pixels of the results.

    Yields:
      uint8 [size, size, 3], in order.
    """
    for _, same in itertools.groupby(squares, key=lambda s: s.shape):
        while some := list(itertools.islice(same, 16)):
            yield from resize(np.stack(some), size).numpy()
