"""Recipes: found by name, overridden on the command line, checked, written down."""

import importlib.util
import inspect
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from pcl_tf.errors import Refused
from pcl_tf.methods.registry import DEFAULT, METHODS, keys_of, knowing
from pcl_tf.recipe_method import applying, contradicting_views, idle_keys, own_keys, told_apart


def _shipped() -> pathlib.Path:
    """The folder of the recipes that come with the project: inside the installed package, beside it in a clone."""
    package = pathlib.Path(__file__).resolve().parent
    return next((f for f in (package / "recipes", package.parent / "recipes") if f.is_dir()), package / "recipes")


SHIPPED = _shipped()
if "recipes" not in sys.modules:  # recipes say `from recipes import common`, from whatever folder the command is run in
    _spec: Any = importlib.util.spec_from_file_location(
        "recipes", SHIPPED / "__init__.py", submodule_search_locations=[str(SHIPPED)]
    )
    sys.modules["recipes"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["recipes"])


def known() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(p.stem for p in SHIPPED.glob("*.py") if p.stem not in ("__init__", "common"))


def find(name: str) -> str:
    """'vox64:smoke' or 'path/my.py:smoke' -> 'path/of/the/recipe.py:smoke'.

    A name is looked for in the folder ``recipes`` of the current one first, then among those that come with the project.

    Raises:
      Refused: there is no such recipe.
    """
    stem, _, arg = name.partition(":")
    places = [pathlib.Path(stem), pathlib.Path("recipes") / f"{stem}.py", SHIPPED / f"{stem}.py"]
    for place in places:
        if place.suffix == ".py" and place.is_file():
            return f"{place}:{arg}" if arg else str(place)
    raise Refused(f"--recipe={stem}: no such recipe; known: {', '.join(known())}, or the path of a .py file.")


def named(name: str, argument: str = "", overrides: Iterable[str] = ()) -> ConfigDict:
    """The recipe of a name, outside of the command line.

    Args:
      name: NAME or NAME:ARG of a recipe, or the path of a .py file.
      argument: added to ARG.
      overrides: 'KEY=VALUE' texts.

    Returns:
      locked ConfigDict.

    Raises:
      Refused: no such recipe, argument, key or value, or its file raises something.
    """
    path, _, own = find(name).partition(":")
    spec: Any = importlib.util.spec_from_file_location("recipe", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        if not hasattr(module, "get_config"):
            raise Refused(f"{path} has no function get_config(arg).")
        c = module.get_config(",".join(filter(None, (own, argument))))
    except Exception as error:  # a user's file may raise anything; what is expected speaks for itself
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise Refused(f"--recipe={name}: {kind}{error}") from error
    return override(c, overrides, "--set ")


def override(recipe: ConfigDict, texts: Iterable[str], flag: str = "") -> ConfigDict:
    """Sets values of a recipe, in place.

    Args:
      recipe: ConfigDict.
      texts: 'KEY=VALUE', KEY like method.updates.
      flag: what errors name before the text.

    Returns:
      the recipe.

    Raises:
      Refused: no such key or value.
    """
    for text in texts:
        key, given, value = text.partition("=")
        if not given:
            raise Refused(f"{flag}{text}: KEY=VALUE is needed.")
        if key not in flatten(recipe) and (said := told_apart(key)):
            raise Refused(f"{flag}{text}: {said}.")
        try:
            old = flatten(recipe)[key]
            recipe.update_from_flattened_dict({key: _truth(value) if isinstance(old, bool) else type(old)(value)})
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"{flag}{text}: {type(error).__name__} {error}.") from error
    return recipe


def _truth(value: str) -> bool:
    truths = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in truths:
        raise ValueError(f"'{value}' is neither true nor false")
    return truths[value.lower()]


def _with_recipe_found(argv: Iterable[str]) -> list[str]:
    out, argv = [], iter(argv)
    for a in argv:
        if a in ("--recipe", "-recipe"):  # --recipe NAME
            a = f"--recipe={next(argv, '')}"
        if a.startswith("-recipe"):  # absl takes one dash for two
            a = f"-{a}"
        out.append(f"--recipe={find(a[9:])}" if a.startswith("--recipe=") else a)
    return out


def _keys_as_flags(argv: list[str]) -> list[str]:
    """--set KEY=VALUE, and --image_size=N, are --recipe.KEY=VALUE for commands that have a recipe and not these flags."""
    known, out, keys, left = flags.FLAGS, [], [], iter(argv)
    if "recipe" not in known or "set" in known:
        return argv
    for a in left:
        name, given, value = a.partition("=")
        if name in ("--set", "-set"):
            value = value if given else next(left, "")
            if "=" not in value:
                raise Refused(f"--set {value}: KEY=VALUE is needed.")
            keys.append(f"--recipe.{value}")
        elif name == "--image_size" and given and "image_size" not in known:
            keys.append(f"--recipe.image_size={value}")
        else:
            out.append(a)
    if keys:
        sys.argv[:] = out = out + keys  # behind --recipe; ml_collections looks for keys in sys.argv alone
    return out


def _without_idle_keys(argv: list[str]) -> list[str]:
    """Leaves out --recipe.method.KEY=VALUE of keys that other methods know alone, and says so: they change nothing."""
    recipe = next((a.removeprefix("--recipe=") for a in argv if a.startswith("--recipe=")), "")
    given = [a for a in argv if a.startswith("--recipe.method.") and "=" in a]
    if not recipe or not given:
        return argv
    method = named(recipe).method
    applied = applying([a.removeprefix("--recipe.") for a in given], flatten({"method": method}))
    idle = [a for a in given if a.removeprefix("--recipe.") not in applied]
    if idle:
        print(f"note: {', '.join(idle)}: no meaning to {method.name}.", file=sys.stderr)
        sys.argv = [a for a in sys.argv if a not in idle]  # where ml_collections looks for what overrides a recipe
    return [a for a in argv if a not in idle]


def keys_help() -> str:
    """Two lines for each key of a recipe: its flag with the paper's value, and what it is."""
    from recipes import common

    said, group = {}, ""
    for line in inspect.getsource(common.base).splitlines():
        line, _, comment = line.strip().partition("  # ")
        if line.endswith("= ConfigDict()") and line.startswith("c."):
            group = line.split(" ")[0].removeprefix("c.") + "."
        elif " = " in line and line.split(" = ")[0] != "c":
            said[(group if line[1] == "." and not line.startswith("c.") else "") + line.split(" ")[0][2:]] = comment
    values = flatten(common.base())
    for name in METHODS:
        for key, known in keys_of(name).items():
            values.setdefault(f"method.{key}", known.value)
            said[f"method.{key}"] = known.says + ("" if DEFAULT in knowing(key) else f" ({', '.join(knowing(key))})")
    return "".join(f"  --recipe.{k}={v}\n      {said.get(k, '')}\n" for k, v in values.items())


def parse_flags(argv: list[str]) -> list[str]:
    """absl flags parser that knows recipe names and says errors in one line (exit code 2)."""
    if any(a in ("--helpfull", "-helpfull") for a in argv) and "recipe" in flags.FLAGS:
        print(f"Keys of --recipe, with the paper's values:\n\n{keys_help()}")  # absl knows none of them
    try:
        argv = _without_idle_keys(_with_recipe_found(_keys_as_flags(argv)))
        return flags.FLAGS(argv)
    except SystemExit:
        raise SystemExit(0) from None  # of --help and its like alone, after which absl ends with 1
    except (Refused, flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        text = str(error.args[0] if error.args else error)
        if "Traceback" in text:  # a recipe that raised: its last line says why
            text = "--recipe: " + text.strip().splitlines()[-1].strip()
        key = next((a for a in argv if a.startswith("--recipe.") and a.split("=")[0].split(".")[-1] in str(text)), "")
        if "Unknown command line flag" in text:
            text = told_apart(key.split("=")[0].removeprefix("--recipe.")) or text
        elif near := re.search(r'Did you mean "(.*?)" instead of', text):  # ml_collections quotes its own quotation
            text = f"no such key; did you mean {near[1]}?"
        print(f"error: {key + ': ' if key and key not in str(text) else ''}{str(text).strip()}", file=sys.stderr)
        raise SystemExit(2) from None


def resolve(recipe: ConfigDict, replicas: int = 1) -> ConfigDict:
    """Fills in values that follow from others and checks that the run can be done.

    Args:
      recipe: ConfigDict from a recipe file, overrides applied.
      replicas: how many replicas share the batch.

    Returns:
      a locked copy.

    Raises:
      Refused: names the key that is wrong and what would do.
    """
    from pcl_tf.methods.build import method_of  # the registries need TensorFlow, the flags do not wait for it
    from pcl_tf.recipe_checks import CHECKS, wrong_side, wrong_values, wrong_views

    if not hasattr(recipe, "items"):
        raise Refused(f"--recipe: its get_config gives {type(recipe).__name__}, not a ConfigDict.")
    c = recipe.copy_and_resolve_references() if hasattr(recipe, "copy_and_resolve_references") else ConfigDict(recipe)

    def need(fine: bool, message: str) -> None:
        if not fine:
            raise Refused(message)

    values = flatten(c)
    needed = [
        key for key in CHECKS if key == "method.name" or not key.startswith("method.")
    ]  # a method fills in its own
    lacking = [key for key in needed if key not in values]
    need(not lacking, f"--recipe: has no {', '.join(lacking)}; recipes/common.py has them all.")
    need("data.synthetic_images" not in values, "--recipe: data.synthetic_images is called data.generated_images now.")
    wrong = wrong_values(values)
    need(not wrong, "\n".join(wrong))
    m = c.method
    need(
        "reconstruct" in keys_of(m.name) or not m.get("reconstruct") and m.get("pose_contrast", "none") == "none",
        f"--recipe.method.name={m.name} has neither decoder nor pose contrast: use the recipe's argument, NAME:{m.name}.",
    )
    if idle := idle_keys(m.to_dict()):
        print(f"note: {', '.join(f'method.{key}' for key in idle)}: no meaning to {m.name}.", file=sys.stderr)
    need(
        not contradicting_views(m.to_dict()),
        f"--recipe.method.face_views={m.get('face_views')}: other views than crop, crop_area and flip_views ask for; say it one way.",
    )
    with c.unlocked():
        c.method = m = ConfigDict(own_keys(m.to_dict()))
        method = method_of(c)
        m.update(method.follows(c))
    used = {"batch_size": c.batch_size, **{part.images: part.count(c) for part in method.parts_on(c)}}
    for key, value in used.items():
        need(value <= c.batch_size, f"--recipe.{key}={value} is more than --recipe.batch_size={c.batch_size}.")
        some = -(-value // replicas) * replicas  # the next; it fits in the batch, which is checked first
        need(
            value % replicas == 0,
            f"--recipe.{key}={value} cannot be shared by {replicas} replicas: give a multiple of {replicas}, for instance"
            f" --recipe.{key}={some}.",
        )
    problems = [*method.problems(c), *wrong_side(c), *wrong_views(c)]
    need(not problems, "\n".join(problems))
    return c.lock()


# Where and how long a run watches and saves does not change what it computes.
FREE_KEYS = ("checkpoint.", "watch.", "data.source", "data.cache", "data.max_unreadable_share")


def flatten(recipe: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
    """Nested dict -> {'method.crop': ...}."""
    out = {}
    for key, value in recipe.items():
        if hasattr(value, "items"):
            out.update({f"{key}.{k}": v for k, v in flatten(value).items()})
        else:
            out[key] = value
    return out


def differences(ours: ConfigDict, theirs: ConfigDict) -> list[str]:
    """Keys whose values differ between two recipes and that change what is computed.

    Returns:
      list of 'key: theirs -> ours'.
    """
    a, b = flatten(ours), flatten(theirs)
    keys = [k for k in sorted(a.keys() | b.keys()) if not k.startswith(FREE_KEYS)]
    return [f"{k}: {b.get(k)} -> {a.get(k)}" for k in keys if a.get(k) != b.get(k)]


def to_json(recipe: ConfigDict) -> str:
    """The recipe as JSON text, keys sorted."""
    return json.dumps(recipe.to_dict(), indent=1, sort_keys=True) + "\n"


def _rename(data: dict[str, Any]) -> None:
    """Calls what an older file has in its group data as it is called now."""
    if "synthetic_images" in data:
        data["generated_images"] = data.pop("synthetic_images")
    parts = data.get("source", "").split(",")
    data["source"] = ",".join("generated" if part == "synthetic" else part for part in parts)


def load(path: str | pathlib.Path) -> ConfigDict:
    """ConfigDict of a recipe.json.

    Keys that are younger than the file get the value of ``recipes.common.base`` or of their method: a new key's default
    is what runs did before there was the key. Keys of other methods, which older files have, are left out.

    Raises:
      Refused: it is empty, cut short, or no recipe.
    """
    from recipes import common

    c = common.base()
    try:
        values = json.loads(pathlib.Path(path).read_text())
        if not isinstance(values, dict):
            raise ValueError("no keys in it")
        _rename(values.get("data", {}))
        own = own_keys(values.pop("method", {}))
        c.method = common.method(own["name"]) if own.get("name") in METHODS else ConfigDict()
        c.update(ConfigDict({**values, "method": own}))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # empty, cut short, of another program
        raise Refused(
            f"{path}: is no recipe of a run ({str(error).splitlines()[0]}). An export has a copy of its own,"
            " export/STEP/assets/recipe.json; without one give another --workdir."
        ) from error
    return c.lock()
