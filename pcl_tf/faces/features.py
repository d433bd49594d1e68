"""Features of faces as a step of a scikit-learn Pipeline."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from pcl_tf.errors import Refused
from pcl_tf.faces.model import FaceModel, opened


class FaceFeatures(TransformerMixin, BaseEstimator):
    """Turns faces into features by a frozen encoder; there is nothing to fit.

    Args:
      model: what ``pcl_tf.load`` opens, by which it can be cloned and pickled, or a ``FaceModel``.
      feature: 'face_aware', 'face', 'pose' or 'face+pose'.
      image_size: side in pixels at which a model that is opened by a name sees faces; 0 as of ``pcl_tf.load``.

    >>> import numpy as np, pcl_tf
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> faces = np.repeat(np.array([10, 240], np.uint8), 8)[:, None, None, None] * np.ones([1, 32, 32, 3], np.uint8)
    >>> labels = np.repeat(["dark", "light"], 8)
    >>> pipeline = make_pipeline(pcl_tf.FaceFeatures("pixels"), LogisticRegression()).fit(faces, labels)
    >>> pipeline.predict(faces[[0, 15]]).tolist()
    ['dark', 'light']
    """

    def __init__(self, model: str | FaceModel, feature: str = "face_aware", image_size: int = 0) -> None:
        self.model, self.feature, self.image_size = model, feature, image_size

    def fit(self, X: Any, y: Any = None) -> "FaceFeatures":  # noqa: N803 - scikit-learn calls it so
        """Does nothing; X as of ``transform``."""
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Features of faces.

        Args:
          X: uint8 [N, H, W, 3], or a list or array of N paths.

        Returns:
          float32 [N, D].

        Raises:
          Refused: an image is unreadable, or the model has no such feature.
        """
        model = self.model if isinstance(self.model, FaceModel) else opened(self.model, image_size=self.image_size)
        table = model.embed(X.tolist() if isinstance(X, np.ndarray) and X.ndim == 1 else X, features=[self.feature])
        if table.unreadable:
            name, why = next(iter(table.unreadable.items()))
            raise Refused(f"{len(table.unreadable)} of {len(X)} images are unreadable. The first: {name}: {why}")
        return table.by(self.feature)

    def __sklearn_is_fitted__(self) -> bool:
        return True
