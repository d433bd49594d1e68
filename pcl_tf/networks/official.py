"""The released PyTorch code's parameter names, and their values in our networks."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from pcl_tf.errors import Refused

_ENCODER = {
    "conv1.0": "stem_conv1",
    "conv1.2": "stem_conv2",
    "layer1.0": "stage1_conv1",
    "layer1.2.g": "stage1_att_g",
    "layer1.2.theta": "stage1_att_theta",
    "layer1.2.phi": "stage1_att_phi",
    "layer1.3": "stage1_conv2",
    "layer2_1.0": "stage2_conv1",
    "layer2_1.2.g": "stage2_att_g",
    "layer2_1.2.theta": "stage2_att_theta",
    "layer2_1.2.phi": "stage2_att_phi",
    "layer2_1.3": "stage2_conv2",
    "resblock1.conv1": "stage2_res1_conv1",
    "resblock1.conv2": "stage2_res1_conv2",
    "resblock2.conv1": "stage2_res2_conv1",
    "resblock2.conv2": "stage2_res2_conv2",
    "layer2_2.0": "stage2_conv3",
    "layer2_2.2": "stage2_conv4",
    "layer3_1.0": "stage3_conv1",
    "layer3_1.2": "stage3_conv2",
    "layer3_2_exp.0": "face_conv1",
    "layer3_2_exp.2": "face_conv2",
    "layer3_2_pose.0": "pose_conv1",
    "layer3_2_pose.2": "pose_conv2",
}
_HEAD = {"0": "hidden", "2": "project", "3": "norm"}
_DECODER = (
    {"fc": "dense"}
    | {f"model.{4 * i + 2}": f"conv{i + 1}" for i in range(6)}
    | {f"model.{4 * i + 3}": f"norm{i + 1}" for i in range(5)}
)
# Parts of the released module: {their name: (ours, {their module: our layer})}.
PARTS = {
    "encoder": ("encoder", _ENCODER),
    "exp_fc": ("face_head", _HEAD),
    "pose_fc": ("pose_head", _HEAD),
    "decoder": ("decoder", _DECODER),
}


def _layers(net: keras.Model, part: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    """(their module's name, our layer) of one part."""
    for theirs, ours in PARTS[part][1].items():
        inside = part == "encoder" and not theirs.startswith("layer3_2")
        yield f"{part}.{theirs}", (net.get_layer("backbone") if inside else net).get_layer(ours)


def _names(layer: keras.layers.Layer) -> tuple[str, ...]:
    """Their names of a layer's weights, in the order of ours."""
    norm = ("weight", "bias", "running_mean", "running_var")
    return norm if len(layer.weights) == 4 else ("weight", "bias")


def _ours(array: np.ndarray) -> np.ndarray:
    """[O, I, H, W] -> [H, W, I, O] and [O, I] -> [I, O]; vectors stay."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _theirs(shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = tuple(shape)
    return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape[::-1]


def assign(arrays: Mapping[str, np.ndarray], nets: Mapping[str, keras.Model]) -> None:
    """Puts a released checkpoint into networks of the paper's size.

    Args:
      arrays: {name in the released code: array}; 'num_batches_tracked' is passed over.
      nets: {'encoder', 'exp_fc', 'pose_fc', 'decoder', or some of them: keras.Model}.

    Raises:
      Refused: names every array that is missing, unexpected or of another shape; nothing was assigned.
    """
    found = {k: np.asarray(v) for k, v in arrays.items() if not k.endswith("num_batches_tracked")}
    wanted = {
        f"{module}.{name}": _theirs(weight.shape)
        for part, net in nets.items()
        for module, layer in _layers(net, part)
        for name, weight in zip(_names(layer), layer.weights, strict=True)
    }
    wrong = [f"missing: {name} {shape}" for name, shape in wanted.items() if name not in found]
    wrong += [f"unexpected: {name} {a.shape}" for name, a in found.items() if name not in wanted]
    wrong += [
        f"shape: {name} is {found[name].shape}, needed is {shape}"
        for name, shape in wanted.items()
        if name in found and found[name].shape != shape
    ]
    if wrong:
        raise Refused("\n".join(wrong))
    for part, net in nets.items():
        for module, layer in _layers(net, part):
            layer.set_weights([_ours(found[f"{module}.{name}"]) for name in _names(layer)])
