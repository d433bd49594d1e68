"""Numbers the authors' released code produced, and the weights it was given."""

import functools
import json
import pathlib

import numpy as np

from pcl_tf.networks import official

HERE = pathlib.Path(__file__).parent
NUMBERS = np.load(HERE / "official_seed7.npz")


@functools.cache
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


def load(model, part):
    """Puts the fixture's 'encoder', 'exp_fc', 'pose_fc' or 'decoder' into a network of ours."""
    weights = {k: v for k, v in official_weights().items() if k.startswith(f"{part}.")}
    official.assign(weights, {part: model})


def nhwc(x):
    """[N, 3, H, W] -> [N, H, W, 3]."""
    return np.transpose(x, (0, 2, 3, 1))
