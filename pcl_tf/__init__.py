"""Pose-disentangled contrastive learning of face representations, in TensorFlow.

The rooms, in the direction the data flows: ``recipe`` and ``data`` ->
``views`` -> ``networks`` -> ``losses`` -> ``methods`` -> ``training`` ->
``serving`` (the export) -> ``evaluation``.
"""

__version__ = "0.2.0"
