"""Augmentations as Keras layers on keras_cv's vectorised base: a batch at a time, on the device."""
