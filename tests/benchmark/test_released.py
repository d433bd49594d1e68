"""The PyTorch side of the comparison is the released network and its losses. Needs torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs requirements-torch.txt")

from pcl_tf import recipe as recipes
from pcl_tf.benchmark import released_step
from pcl_tf.benchmark.released import released
from recipes import vox64
from tests import golden

G = golden.NUMBERS
CLOSE = dict(rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def nets():
    nets = released_step.Released()
    weights = {k: torch.from_numpy(v) for k, v in golden.official_weights().items()}
    missing, unexpected = nets.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return nets


def test_networks_give_the_released_outputs(nets):
    nets.eval()
    with torch.no_grad():
        features = nets.encoder(torch.from_numpy(G["x64"]))
        for name, out in zip(("trunk64", "face64", "pose64"), features, strict=True):
            np.testing.assert_allclose(out, G[name], err_msg=name, **CLOSE)
        np.testing.assert_allclose(nets.decoder(features[1] + features[2]), G["recon64_eval"], **CLOSE)
        np.testing.assert_allclose(nets.exp_fc(features[1]), G["face_proj_eval"], **CLOSE)
        np.testing.assert_allclose(nets.pose_fc(features[2]), G["pose_proj_eval"], **CLOSE)


def test_losses_give_the_released_values():
    a, b = (torch.from_numpy(G[name].astype(np.float32)) for name in ("orth_a", "orth_b"))
    np.testing.assert_allclose(released_step._cross_correlation(a, b), G["orth_cross_correlation"], rtol=1e-3)
    z = torch.from_numpy(G["face_z"].astype(np.float32))
    others = [[j for j in range(8) if j not in (i, (i + 4) % 8)] for i in range(8)]
    loss = released_step.contrast(z, z[(torch.arange(8) + 4) % 8], z[torch.tensor(others)])
    np.testing.assert_allclose(loss, G["face_infonce_plain"], rtol=1e-4)


def test_an_iteration_lowers_its_losses():
    iteration = released_step.Iteration(2, 1, 2, precision="float32")
    losses = np.array([iteration.run() for _ in range(3)])
    assert np.isfinite(losses).all() and losses[-1, 0] < losses[0, 0]
    # In half precision the same weights and images begin with about the same loss; emulated, a step is slow.
    np.testing.assert_allclose(
        released_step.Iteration(2, 1, 2, precision="mixed_bfloat16").run()[0], losses[0, 0], rtol=0.03
    )


@pytest.mark.parametrize("argument, what", [("smoke", "image_size is 32"), ("simclr", "method.reconstruct is False")])
def test_other_work_than_the_released_codes_is_refused(argument, what):
    with pytest.raises(ValueError, match=what):
        released(recipes.resolve(vox64.get_config(argument)), "float32", 1)


@pytest.mark.slow
def test_sides_are_timed_in_turns():
    recipe = vox64.get_config()
    recipes.override(recipe, ["batch_size=8", "method.pose_batch=2", "method.negatives_per_image=4"])
    found = released(recipes.resolve(recipe), "float32", 2)
    rates = found["images_per_second"]
    for name in ("float32", "mixed_bfloat16"):
        low, high = sorted(found["faster_than"][name])
        assert found["ratio"][name] == pytest.approx((low + high) / 2)
        assert 0.9 * low < rates["ours"] / rates[name] < 1.1 * high
