"""A compiled method from a recipe."""

from types import SimpleNamespace

from pcl_tf.methods.moco import MoCo
from pcl_tf.methods.optimisation import optimizer
from pcl_tf.methods.pcl import PCL
from pcl_tf.networks.decoder import decoder
from pcl_tf.networks.encoder import encoder
from pcl_tf.networks.heads import projection_head

METHODS = ("pcl", "moco")
UPDATES = ("joint", "alternating")


def updates_per_step(recipe):
    """Optimiser updates of one step: 1 if joint, one per part if alternating."""
    m = recipe.method
    return 1 if m.updates == "joint" else 1 + m.reconstruct + (m.pose_contrast == "pose")


def parts_per_step(recipe):
    """Images of the global batch that are used together in a step: [all], or those of each alternating update."""
    m = recipe.method
    if m.updates == "joint":
        return [recipe.batch_size]
    parts = (m.reconstruct and m.pdd_batch, recipe.batch_size, m.pose_contrast == "pose" and m.pose_batch)
    return [int(p) for p in parts if p]


def images_per_step(recipe):
    """Images of the global batch that one step consumes."""
    return sum(parts_per_step(recipe))


def encoder_passes(recipe):
    """Images that pass the encoder in one step, the unit in which methods are given equal budgets."""
    m = recipe.method
    passes = (4 if m.name == "moco" and m.both_directions else 2) * recipe.batch_size + 2 * m.reconstruct * m.pdd_batch
    return passes + (m.pose_contrast == "pose") * m.pose_batch * (2 + m.negatives_per_image)


def build_encoder(recipe, image_size, precision="float32", synchronized=False, portable=False):
    """The encoder a recipe describes, for images of this side; None is any side. The rest is of ``encoder``."""
    n = recipe.network
    return encoder(image_size, n.backbone, n.width, precision, synchronized=synchronized, portable=portable)


def build_method(recipe, precision="float32", replicas=1):
    """Builds and compiles the method.

    Args:
      recipe: a resolved recipe.
      precision: dtype policy name.
      replicas: replicas that share the batch.

    Returns:
      PCL or MoCo, compiled, with optimiser slots made: ready to restore a checkpoint into.
    """
    n, m, o = recipe.network, recipe.method, recipe.optimizer
    synchronized = replicas > 1
    net = build_encoder(recipe, recipe.image_size, precision, synchronized)
    features = net.output["face"].shape[-1]

    def head(name):
        return projection_head(features, n.head_dim, precision, synchronized, name)

    coupled = o.decay if o.decay_kind == "coupled" else 0.0
    if m.name == "moco":
        model = MoCo(
            net, head("face_head"), m, recipe.image_size, recipe.batch_size, replicas, recipe.seed, coupled, precision
        )
    else:
        nets = SimpleNamespace(
            encoder=net,
            face_head=head("face_head"),
            pose_head=head("pose_head") if m.pose_contrast != "none" else None,
            decoder=decoder(features, recipe.image_size, n.width, precision, synchronized) if m.reconstruct else None,
        )
        model = PCL(
            nets, m, recipe.image_size, recipe.batch_size, replicas, recipe.epoch_steps, recipe.seed, coupled, precision
        )
    k = updates_per_step(recipe)
    model.compile(
        optimizer=optimizer(
            o.learning_rate, k * recipe.total_steps, k * o.warmup_steps, o.decay, o.decay_kind, o.clip_norm
        ),
        jit_compile=False,
        steps_per_execution=1,
    )
    model.optimizer.build(model.trainable_variables)
    return model
