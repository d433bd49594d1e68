"""The group ``method`` of a recipe: a method's own keys, also where an older recipe had the keys of all methods."""

from collections.abc import Iterable, Mapping
from typing import Any

from pcl_tf.methods.registry import CROPS, METHODS, face_views, keys_of, knowing, known_keys


def own_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe says of its method, as the keys of that method.

    Recipes used to have the keys of all methods, and SimCLR used to be PCL with its parts off: both are put right here.

    Args:
      values: {key: value} of ``method``; a key that is missing has the method's default.

    Returns:
      the same with the method's name and keys. Keys of other methods are left out; those of nobody stay.
    """
    name = values.get("name", "pcl")
    if name == "pcl" and values.get("reconstruct", True) is False and values.get("pose_contrast") == "none":
        name = "simclr_pose" if values.get("flip_views") else "simclr"
    if name not in METHODS:
        return dict(values)
    usual = {key: said.value for key, said in keys_of(name).items()}
    given = {key: value for key, value in values.items() if key in usual or key not in known_keys()}
    own = {**usual, **given, "name": name}
    if own.get("face_views") == "" and own["crop"] in CROPS:
        own["face_views"] = face_views(own)
    return own


def idle_keys(values: Mapping[str, Any]) -> list[str]:
    """Keys of other methods to which a recipe gives values of its own: they do nothing."""
    known, own = known_keys(), own_keys(values)
    return [key for key, value in values.items() if key in known and key not in own and value != known[key].value]


def contradicting_views(values: Mapping[str, Any]) -> bool:
    """Whether a method's ``face_views`` name other views than its ``crop``, ``crop_area`` or ``flip_views`` ask for."""
    own = own_keys(values)
    views = values.get("face_views", "")
    if not views or own["name"] not in METHODS or views == face_views(own):
        return False
    usual = METHODS[own["name"]].keys
    changed = any(own[key] != usual[key].value for key in ("crop", "crop_area", "flip_views"))
    return changed or (own["flip_views"] and "flip" not in views)


def told_apart(key: str) -> str:
    """What to say of a key of ``method`` that a recipe's method does not know; '' where no method does."""
    names = knowing(key.removeprefix("method."))
    if not key.startswith("method.") or not names:
        return ""
    return (
        f"a key of {', '.join(names)}, not of this recipe's method; the recipe's argument, NAME:{names[0]}, changes it"
    )


def applying(texts: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Of 'KEY=VALUE' those that mean something to a recipe with these keys; left out are keys of other methods alone."""
    keys = set(keys)
    return [t for t in texts if t.partition("=")[0] in keys or not told_apart(t.partition("=")[0])]
