"""Recipes: the table of their keys; found by name, overridden on the command line, checked, written down."""

import difflib
import importlib.util
import json
import pathlib
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from pcl_tf.choices import CLIPS, DECAY_KINDS, SAMPLINGS
from pcl_tf.errors import Refused
from pcl_tf.keys import Check, Key, flatten, number, one_of, positive, text, whole
from pcl_tf.methods import METHODS

PAPER = "pcl"  # the method of recipes that name no other
STEPS = 10**9  # at most, of everything that is counted in steps
_TESTED = Check(
    lambda: "0 for none, or a whole number from 100 to 1000000, since fewer faces tell nothing",
    lambda v: v == 0 or whole(100, 10**6)(v),
)
# Every key but those of a method, which stand in pcl_tf/methods/keys.py, with the paper's values.
KEYS = {
    "seed": Key(0, whole(0, 2**31 - 1), "of the first weights, the order of the images and every draw"),
    "image_size": Key(64, whole(16, 2048), "side in pixels; a power of two, for the decoder"),
    "batch_size": Key(256, whole(2, 10**6), "images a step, over all replicas"),
    "total_steps": Key(1_000_000, whole(0, STEPS), "0 exports the untrained network"),
    "epoch_steps": Key(1000, whole(1, STEPS), "one line of progress, one period of Dynamic Weight Average"),
    "data.source": Key("", text, "folder, zip, dataset of pcl_tf.prepare, tfds:NAME or generated; commas join several"),
    "data.generated_images": Key(4096, whole(1, 10**7), "how many faces are generated for 'generated'"),
    "data.cache": Key("", text, "folder of the decoded faces, which runs can share; empty: cache/ in the workdir"),
    "data.sampling": Key("clip", one_of(SAMPLINGS), "of a dataset of pcl_tf.prepare: what is drawn evenly"),
    "data.clips": Key(
        "prepared",
        one_of(CLIPS),
        "for pairs of frames: by pcl_tf.prepare; each folder is a clip; or each generated face in two scenes",
    ),
    "data.gap": Key(
        0.0,
        number(0, 10**6),
        "least between the frames of a pair: seconds, of folders and generated clips frames; 0 is any",
    ),
    "data.max_unreadable_share": Key(0.05, number(0, 1), "unreadable images above this share stop the run"),
    "network.backbone": Key(
        "cnn16", one_of("pcl_tf.networks.backbones:BACKBONES"), "cnn16 (paper), patch_cnn, resnet18, vgg16, vit_tiny"
    ),
    "network.width": Key(1.0, positive(16), "multiplies channel counts"),
    "network.head_dim": Key(512, whole(1, 65536), "length of the contrasted projections"),
    "network.weights": Key(
        "", text, "encoder to begin from: heads64, faces64, a workdir or .keras; empty: random ones"
    ),
    "method.name": Key(PAPER, one_of(METHODS), "a method has keys of its own"),
    "optimizer.learning_rate": Key(1e-4, number(0, 100), "of Adam, at its highest; falls to 0 along a cosine"),
    "optimizer.warmup_steps": Key(0, whole(0, STEPS), "steps in which the learning rate rises from 0"),
    "optimizer.decay": Key(0.0, number(0, 1000), "of the weights"),
    "optimizer.decay_kind": Key("coupled", one_of(DECAY_KINDS), "coupled (L2) or decoupled (AdamW)"),
    "optimizer.clip_norm": Key(0.0, number(0, 10**9), "of all gradients together; 0 is no clipping"),
    "checkpoint.every": Key(1000, whole(1, STEPS), "steps between checkpoints"),
    "checkpoint.keep": Key(3, whole(1, 10**6), "the newest, and as many versions of the export"),
    "watch.log_every": Key(50, whole(1, STEPS), "steps between scalars in TensorBoard"),
    "watch.images_every": Key(5000, whole(0, STEPS), "steps between reconstruction sheets"),
    "watch.generated": Key(3000, _TESTED, "faces that test a run on generated ones before and after; 0 is none"),
    "watch.labelled": Key("", text, "class folders, or a task of pcl_tf.probe: online k-NN and ridge probes"),
}
# They change where and how long a run watches and saves, not what it computes.
FREE_KEYS = ("checkpoint.", "watch.", "data.source", "data.cache", "data.max_unreadable_share")


def keys(method: str = PAPER) -> dict[str, Key]:
    """{'method.temperature': its ``Key``, ..}: every key of a recipe of a method."""
    return {**KEYS, **{f"method.{key}": known for key, known in METHODS[method].keys.items()}}


def base(method: str = PAPER) -> ConfigDict:
    """A method with the paper's settings; not locked, a recipe may change every value."""
    nested: dict[str, Any] = {}
    for key, known in keys(method).items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = known.value
    nested["method"]["name"] = method
    return ConfigDict(nested)


def keys_help() -> str:
    """Two lines for each key of any method: KEY=VALUE with the paper's value, and what it is."""
    known = {key: (each, name) for name in reversed(METHODS) for key, each in keys(name).items()}
    return "".join(
        f"  {key}={each.value}\n      {each.words}{'' if name == PAPER else f' ({name})'}\n"
        for key, (each, name) in known.items()
    )


_PACKAGE = pathlib.Path(__file__).resolve().parent
# The folder of the recipes that come with the project: inside the installed package, beside it in a clone.
SHIPPED = next(place / "recipes" for place in (_PACKAGE, _PACKAGE.parent) if (place / "recipes").is_dir())
if "recipes" not in sys.modules:  # recipes say `from recipes import common`, from whatever folder the command is run in
    _spec: Any = importlib.util.spec_from_file_location(
        "recipes", SHIPPED / "__init__.py", submodule_search_locations=[str(SHIPPED)]
    )
    sys.modules["recipes"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["recipes"])


def known() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(p.stem for p in SHIPPED.glob("*.py") if p.stem not in ("__init__", "common"))


def find(name: str) -> pathlib.Path:
    """The file of a recipe, NAME in the folder ``recipes`` of the current one, else among the project's; or Refused."""
    for place in (pathlib.Path(name), pathlib.Path("recipes") / f"{name}.py", SHIPPED / f"{name}.py"):
        if place.suffix == ".py" and place.is_file():
            return place
    raise Refused(f"--recipe={name}: no such recipe; known: {', '.join(known())}, or the path of a .py file.")


def named(name: str, argument: str = "", overrides: Iterable[str] = ()) -> ConfigDict:
    """The recipe, locked, of NAME or NAME:ARG or the path of a .py file; argument is added to ARG, overrides see ``override``.

    Raises:
      Refused: no such recipe, argument, key or value, or its file raises something.
    """
    stem, _, own = name.partition(":")
    path = find(stem)
    spec: Any = importlib.util.spec_from_file_location("recipe", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        c = module.get_config(",".join(filter(None, (own, argument))))
    except Exception as error:  # a user's file may raise anything; a ValueError's text is enough
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise Refused(f"--recipe={name}: {kind}{error}") from error
    if not isinstance(c, ConfigDict):
        raise Refused(f"--recipe={name}: its get_config gives {type(c).__name__}, not a ConfigDict.")
    return override(c, overrides)


def override(recipe: ConfigDict, texts: Iterable[str], flag: str = "--set ") -> ConfigDict:
    """Sets values of a recipe, in place, and returns it; texts: 'KEY=VALUE', KEY like method.updates.

    Raises:
      Refused: no such key or value.
    """
    table = keys(recipe.method.name)
    for given in texts:
        key, equals, value = given.partition("=")
        if not equals:
            raise Refused(f"{flag}{given}: KEY=VALUE is needed.")
        if key == "method.name":
            raise Refused(f"{flag}{given}: a method has keys of its own; use the recipe's argument, NAME:{value}.")
        if key not in table:
            raise Refused(f"{flag}{given}: {_no_such(key, table)}")
        if not table[key].check(parsed := table[key].parse(value)):
            raise Refused(f"{flag}{given}: must be {table[key].check.words()}.")
        recipe.update_from_flattened_dict({key: parsed})
    return recipe


def applying(texts: Iterable[str], recipe: ConfigDict) -> list[str]:
    """'KEY=VALUE' texts without those of keys that other methods have and the recipe's has not, as of PCL's in MoCo."""
    foreign = {key for name in METHODS for key in keys(name)} - keys(recipe.method.name).keys()
    return [t for t in texts if t.partition("=")[0] not in foreign]


def _no_such(key: str, table: Mapping[str, Key]) -> str:
    names = {known.rpartition(".")[2]: known for known in table}
    near = difflib.get_close_matches(key.rpartition(".")[2], names, 1)
    return f"no such key; {f'did you mean {names[near[0]]}?' if near else 'pcl_tf.train --helpfull lists them.'}"


def wrong(recipe: ConfigDict) -> list[str]:
    """What is wrong with single keys of a recipe: lines that name the key and what would do."""
    values = flatten(recipe)
    name = values.get("method.name", PAPER)
    table = keys(name) if name in METHODS else KEYS
    if lacking := [key for key in table if key not in values]:
        return [f"--recipe: has no {', '.join(lacking)}; recipes.common.base() has every key, method by method."]
    unknown = [key for key in values if key not in table and (name in METHODS or not key.startswith("method."))]
    bad = [key for key in table if not table[key].check(values[key])]
    return [f"--recipe.{key}: {_no_such(key, table)}" for key in unknown] + [
        f"--recipe.{key}={values[key]}: must be {table[key].check.words()}." for key in bad
    ]


def resolve(recipe: ConfigDict, replicas: int = 1) -> ConfigDict:
    """A locked copy with the values that follow from others, if the run can be done and ``replicas`` can share its batch.

    Raises:
      Refused: names every key that is wrong and what would do, a line each.
    """
    c = recipe.copy_and_resolve_references()
    if lines := wrong(c):
        raise Refused("\n".join(lines))
    method = pkgutil.resolve_name(METHODS[c.method.name].place)
    c.method.update(method.follows(c))
    for key, value in {"batch_size": c.batch_size, **{p.images: p.count(c) for p in method.parts_on(c)}}.items():
        if value > c.batch_size:
            lines.append(f"--recipe.{key}={value} is more than --recipe.batch_size={c.batch_size}.")
        elif value % replicas:
            lines.append(
                f"--recipe.{key}={value} cannot be shared by {replicas} replicas: give a multiple of {replicas}, for"
                f" instance --recipe.{key}={-(-value // replicas) * replicas}."
            )
    if lines := lines or method.problems(c):
        raise Refused("\n".join(lines))
    return c.lock()


def differences(ours: ConfigDict, theirs: ConfigDict) -> list[str]:
    """['key: theirs -> ours'] of keys whose values differ between two recipes and that change what is computed."""
    a, b = flatten(ours), flatten(theirs)
    changed = [k for k in sorted(a.keys() | b.keys()) if not k.startswith(FREE_KEYS)]
    return [f"{k}: {b.get(k)} -> {a.get(k)}" for k in changed if a.get(k) != b.get(k)]


def to_json(recipe: ConfigDict) -> str:
    """The recipe as JSON text, keys sorted."""
    return json.dumps(recipe.to_dict(), indent=1, sort_keys=True) + "\n"


def load(path: str | pathlib.Path) -> ConfigDict:
    """ConfigDict of a recipe.json. Raises Refused: it is empty, cut short, or no recipe."""
    try:
        c = ConfigDict(json.loads(pathlib.Path(path).read_text()))
        lines = wrong(c)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        lines = str(error).splitlines()
    if lines:
        raise Refused(
            f"{path}: is no recipe of a run ({lines[0]}). An export has a copy of its own,"
            " export/STEP/assets/recipe.json; without one give another --workdir."
        )
    return c.lock()
