"""The chains the recipes ask for: photometric, face views, pose-augmented views."""

from pcl_tf.views.base import Chain
from pcl_tf.views.colour import ColorJitter, RandomGrayscale
from pcl_tf.views.filters import GaussianBlur, Sobel
from pcl_tf.views.geometry import HorizontalFlip, QuadrantCrop, RandomResizedCrop, RotateTranslate

CROPS = ("random_resized", "quadrant", "none")
POSE_AUGMENTATIONS = ("flip", "rotate_translate", "flip_rotate_translate")


def photometric(strength=1.0):
    """Jitter, grayscale, blur, Sobel in the released code's order; strength 0 is no view at all."""
    if strength == 0.0:
        return []
    s = 0.8 * strength
    return [
        ColorJitter(s, s, s, 0.2 * strength, name="jitter"),
        RandomGrayscale(0.2, name="gray"),
        GaussianBlur(p=0.8 * strength, name="blur"),
        Sobel(p=0.6 * strength, name="sobel"),
    ]


def face_views(size, crop="random_resized", flip=False, strength=1.0):
    """The two chains of the face contrast.

    Args:
      size: side of the views in pixels.
      crop: 'random_resized' (paper), 'quadrant' (released code) or 'none'.
      flip: whether views are mirrored at random (SimCLR with pose augmentation).
      strength: of the photometric chain, 0 to 1.

    Returns:
      (chain of view 1, chain of view 2).
    """
    if crop not in CROPS:
        raise ValueError(f"Unknown crop '{crop}'; known: {', '.join(CROPS)}.")

    def chain(which):
        views = []
        if crop == "random_resized":
            views.append(RandomResizedCrop(size, name="crop"))
        elif crop == "quadrant":
            views.append(QuadrantCrop(size, which=which, name="crop"))
        if flip:
            views.append(HorizontalFlip(name="flip"))
        return Chain(views + photometric(strength), name="face_view")

    return chain(0), chain(1)


def pose_view(strength=1.0):
    """Chain of the pose contrast's positives: the whole image, photometric changes only."""
    return Chain(photometric(strength), name="pose_view")


def pose_augmentation(kind="flip"):
    """What changes the pose of s into s-hat, without photometric changes."""
    if kind not in POSE_AUGMENTATIONS:
        raise ValueError(f"Unknown pose augmentation '{kind}'; known: {', '.join(POSE_AUGMENTATIONS)}.")
    flip, move = HorizontalFlip(p=1.0, name="mirror"), RotateTranslate(name="move")
    views = {"flip": [flip], "rotate_translate": [move], "flip_rotate_translate": [flip, move]}[kind]
    return Chain(views, name="pose_augmentation")
