"""Eq. 7: every part of the objective has the weight the paper and the recipe give it, in the loss and in the gradient."""

import numpy as np
import pytest

from tests.helpers.methods import PLAIN, built, gradient, noise_faces, step, stepped, tiny

UNEQUAL = {
    "method.pdd_weight": 2.0,
    "method.pose_weight": 5.0,
    "epoch_steps": 1,
    "optimizer.learning_rate": 0.0,
    **PLAIN,
}
ALPHA = (0.3, 1.7)


def weighed(overrides, alpha=None, name="vox64:smoke"):
    """(logs, model) after one step with these weights of the parts."""
    return stepped(name, {**UNEQUAL, **overrides}, alpha=alpha)


@pytest.mark.parametrize("updates", [{}, {"method.updates": "alternating"}], ids=["joint", "alternating"])
def test_eq7_with_unequal_weights(updates):
    logs, _ = weighed(updates, ALPHA)
    np.testing.assert_allclose((logs["alpha_face"], logs["alpha_pose"]), ALPHA, rtol=1e-5)
    parts = 2.0 * (logs["loss_dis"] + logs["loss_orth"]) + 0.3 * logs["loss_face"] + 5.0 * 1.7 * logs["loss_pose"]
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-5)
    assert min(logs[f"loss_{part}"] for part in ("dis", "orth", "face", "pose")) > 0.01  # none can hide


def test_eq7_of_the_gradient():
    nothing = {"method.pdd_weight": 0.0, "method.pose_weight": 0.0}
    face, face_pdd, face_pose, all_parts = (
        gradient(weighed(weights, alpha)[1])
        for weights, alpha in (
            (nothing, None),
            ({**nothing, "method.pdd_weight": 1.0}, None),
            ({**nothing, "method.pose_weight": 1.0}, None),
            ({}, ALPHA),
        )
    )
    pdd, pose = face_pdd - face, face_pose - face
    encoder = sum(v.numpy().size for v in weighed({}, ALPHA)[1].encoder.trainable_variables)  # its gradients come first
    assert min(np.linalg.norm(g[:encoder]) for g in (pdd, face, pose)) > 1e-5  # each part trains the encoder
    wanted = 2.0 * pdd + 0.3 * face + 5.0 * 1.7 * pose
    np.testing.assert_allclose(all_parts, wanted, atol=1e-4 * np.abs(all_parts).max())


def test_dynamic_weights_are_fed_the_unweighted_losses_of_the_steps():
    c = tiny("vox64:smoke", UNEQUAL)
    model, seen = built(c), []
    for i in range(3):
        seen.append(step(model, noise_faces(c, i)))
    ratios = np.array([seen[1][k] / seen[0][k] for k in ("loss_face", "loss_pose")])
    expected = 2.0 * np.exp(ratios / 2.0) / np.exp(ratios / 2.0).sum()
    np.testing.assert_allclose((seen[2]["alpha_face"], seen[2]["alpha_pose"]), expected, rtol=1e-4)
    assert abs(expected[0] - expected[1]) > 1e-3 and seen[1]["alpha_face"] == seen[0]["alpha_face"] == 1.0


@pytest.mark.parametrize("argument, dynamic", [("pose", False), ("no_pose", True)])
def test_weights_stay_1_where_they_are_not_dynamic_or_there_is_one_loss(argument, dynamic):
    overrides = {**PLAIN, "epoch_steps": 1, "method.dynamic_weights": dynamic}
    logs, _ = stepped(f"vox64:smoke,{argument}", overrides, alpha=ALPHA)
    assert (logs["alpha_face"], logs["alpha_pose"]) == (1.0, 1.0)


def test_the_gradient_norm_is_that_of_the_gradient():
    logs, model = weighed({}, ALPHA)
    np.testing.assert_allclose(logs["gradient_norm"], np.linalg.norm(gradient(model)), rtol=1e-4)


def test_the_poses_own_temperature():
    """Both losses are cross-entropies of cosines over a temperature: a high one brings L_pose to chance, log(1 + M)."""
    hot = {"method.pose_temperature": 1e4}
    logs, _ = weighed(hot)
    np.testing.assert_allclose(logs["loss_pose"], np.log(4.0), atol=1e-3)
    same, _ = weighed({})  # 0
    given, _ = weighed({"method.pose_temperature": 0.07})
    assert abs(same["loss_pose"] - np.log(4.0)) > 0.1 and logs["loss_face"] == pytest.approx(same["loss_face"])
    np.testing.assert_allclose(given["loss_pose"], same["loss_pose"], rtol=1e-5)


def test_a_face_style_contrast_of_the_pose_has_the_weights_and_the_temperature_of_the_pose():
    hot = {"method.dynamic_weights": True, "method.pose_temperature": 1e4}
    logs, model = weighed(hot, ALPHA, "vox64:smoke,orth")
    parts = 2.0 * (logs["loss_dis"] + logs["loss_orth"]) + 0.3 * logs["loss_face"] + 5.0 * 1.7 * logs["loss_pose"]
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-5)
    chance = np.log(2 * model.recipe.batch_size - 1)
    np.testing.assert_allclose(logs["loss_pose"], chance, atol=1e-3)
    assert abs(logs["loss_face"] - chance) > 0.1
