"""A compiled method from a recipe, and what a step of it takes."""

import pkgutil
from types import SimpleNamespace

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.encoders.encoder import load_keras, open_encoder
from pcl_tf.errors import Refused
from pcl_tf.methods import METHODS
from pcl_tf.methods.base import Method
from pcl_tf.methods.optimisation import optimizer
from pcl_tf.networks.decoder import decoder
from pcl_tf.networks.encoder import encoder
from pcl_tf.networks.heads import projection_head

_PAYS = 100  # steps from which compiled views save the seconds that compiling them takes; the help of --xla names it


def compiled_by(xla: bool | None, recipe: ConfigDict) -> str:
    """The entry of ``choices.XLA`` that --xla (True), --noxla (False) or neither (None) means for a run of a recipe.

    On a GPU nothing is compiled without the flag, since XLA looks for libraries of CUDA that not every installation has.
    """
    if xla is not None:
        return "step" if xla else "none"
    return "views" if recipe.total_steps >= _PAYS and not tf.config.list_physical_devices("GPU") else "none"


def method_of(recipe: ConfigDict) -> type[Method]:
    """The class of a recipe's method."""
    return pkgutil.resolve_name(METHODS[recipe.method.name].place)


def parts_per_step(recipe: ConfigDict) -> list[int]:
    """Images of the global batch of each update in a step: [all], or those of each part if alternating."""
    return method_of(recipe).images_together(recipe)


def images_per_step(recipe: ConfigDict) -> int:
    """Images of the global batch that one step consumes."""
    return sum(parts_per_step(recipe))


def encoder_passes(recipe: ConfigDict) -> int:
    """Images that pass the encoder in one step, the unit in which methods are given equal budgets."""
    return sum(part.passes * part.count(recipe) for part in method_of(recipe).parts_on(recipe))


def build_encoder(
    recipe: ConfigDict,
    image_size: int | None,
    precision: str = "float32",
    *,
    synchronized: bool = False,
    portable: bool = False,
) -> keras.Model:
    """The encoder a recipe describes, for images of this side; None is any side. The rest is of ``encoder``."""
    n = recipe.network
    return encoder(
        image_size, backbone=n.backbone, width=n.width, dtype=precision, synchronized=synchronized, portable=portable
    )


def begin_from(net: keras.Model, model: str) -> None:
    """Gives an encoder the weights of another one with the same layers, of ``find_encoder``'s names and files.

    Raises:
      Refused: there is no such encoder, it is not of Keras, or its layers are others.
    """
    file = open_encoder(model).keras_file
    weights = load_keras(file).get_weights() if file else []
    if [w.shape for w in weights] != [w.shape for w in net.get_weights()]:
        raise Refused(
            f"--recipe.network.weights={model}: its layers are not those of --recipe.network.backbone and .width; give"
            " those of the recipe by which it was trained, or --set network.weights= for random weights."
        )
    net.set_weights(weights)


def build_method(
    recipe: ConfigDict, *, precision: str = "float32", replicas: int = 1, xla: str = "none", begin: bool = False
) -> Method:
    """Builds and compiles the method.

    Args:
      recipe: a resolved recipe.
      precision: dtype policy name.
      replicas: replicas that share the batch.
      xla: what of the step is compiled, of ``choices.XLA``: seconds (views) or minutes (step) once, in every step fewer passes
        over memory.
      begin: whether to begin from the encoder ``network.weights`` where the recipe has one, as trainings do.

    Returns:
      an instance of the recipe's entry in ``METHODS``, compiled, with optimiser slots made: ready to restore a
      checkpoint into.
    """
    n, o, method = recipe.network, recipe.optimizer, method_of(recipe)
    synchronized = replicas > 1
    net = build_encoder(recipe, recipe.image_size, precision, synchronized=synchronized)
    if begin and n.weights:
        begin_from(net, n.weights)
    features = net.output["face"].shape[-1]
    needed = {name for part in method.parts_on(recipe) for name in part.nets}

    def head(name: str) -> keras.Model:
        return projection_head(features, n.head_dim, dtype=precision, synchronized=synchronized, name=name)

    nets = SimpleNamespace(
        encoder=net,
        **{name: head(name) if name in needed else None for name in ("face_head", "pose_head")},
        decoder=decoder(features, recipe.image_size, width=n.width, dtype=precision, synchronized=synchronized)
        if "decoder" in needed
        else None,
    )
    model = method(recipe, nets, replicas=replicas, precision=precision, compiled_views=xla == "views")
    k = len(parts_per_step(recipe))  # updates of a step
    model.compile(
        optimizer=optimizer(
            o.learning_rate,
            k * recipe.total_steps,
            warmup_updates=k * o.warmup_steps,
            decay=o.decay,
            decay_kind=o.decay_kind,
            clip_norm=o.clip_norm,
        ),
        jit_compile=xla == "step",
        steps_per_execution=1,
    )
    model.optimizer.build(model.trainable_variables)
    return model
