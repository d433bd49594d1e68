"""Numbers the authors' released code produced, and the weights it was given."""

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
NUMBERS = np.load(HERE / "official_seed7.npz")


def official_weights():
    """The fixture's weights by PyTorch name: drawn in sorted name order from RandomState(7)."""
    shapes = json.loads((HERE / "official_state_dict_shapes.json").read_text())
    r = np.random.RandomState(7)
    weights = {}
    for name in sorted(shapes):
        shape = shapes[name]
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            w = r.uniform(0.5, 1.5, shape)
        elif name.endswith("running_mean"):
            w = r.uniform(-0.1, 0.1, shape)
        elif len(shape) >= 2:
            w = r.standard_normal(shape) / np.sqrt(np.prod(shape[1:])) * 1.2
        elif name.endswith("weight"):
            w = r.uniform(0.8, 1.2, shape)
        else:
            w = r.uniform(-0.05, 0.05, shape)
        weights[name] = w.astype("float32")
    return weights


ENCODER = {
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


def _set(layer, weights, torch_name):
    kernel = weights[f"{torch_name}.weight"]
    rest = [
        weights[f"{torch_name}.{n}"] for n in ("bias", "running_mean", "running_var") if f"{torch_name}.{n}" in weights
    ]
    kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
    layer.set_weights([kernel, *rest])


def load_encoder(model):
    """Puts the fixture's weights into an encoder of width 1."""
    weights = official_weights()
    trunk = model.get_layer("backbone")
    for theirs, ours in ENCODER.items():
        owner = model if theirs.startswith("layer3_2") else trunk
        _set(owner.get_layer(ours), weights, f"encoder.{theirs}")


def load_head(model, torch_name):
    """Puts 'exp_fc' or 'pose_fc' into a projection head."""
    for theirs, ours in {"0": "hidden", "2": "project", "3": "norm"}.items():
        _set(model.get_layer(ours), official_weights(), f"{torch_name}.{theirs}")


def load_decoder(model):
    """Puts the fixture's weights into a 64-pixel decoder."""
    weights = official_weights()
    _set(model.get_layer("dense"), weights, "decoder.fc")
    for i in range(6):
        _set(model.get_layer(f"conv{i + 1}"), weights, f"decoder.model.{4 * i + 2}")
        if i < 5:
            _set(model.get_layer(f"norm{i + 1}"), weights, f"decoder.model.{4 * i + 3}")


def nhwc(x):
    """[N, 3, H, W] -> [N, H, W, 3]."""
    return np.transpose(x, (0, 2, 3, 1))
