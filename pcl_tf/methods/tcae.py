"""TCAE (Li, Zeng, Shan, Chen, CVPR 2019), a baseline of Tables 1 and 3: pose and facial action each move their own pixels."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.methods.base import frames
from pcl_tf.methods.fabnet import STILL, FabNet, between, difference
from pcl_tf.methods.keys import TCAE_LOSSES
from pcl_tf.methods.objective import Part, Scalars
from pcl_tf.seeds import Rng
from pcl_tf.warp import warp


class TCAE(FabNet):
    """FAb-Net with two codes and two flows: of F_p, the pose; of F_f, what the face does. Args: see ``Method``.

    Differs from the released code in: what ``FabNet`` says; its two branches of convolutions are our g_p and g_f, each
    with a linear code.
    """

    def make_networks(self, precision: str) -> None:
        """See ``FabNet``. A mask is decoded beside each flow."""
        self.action_code, self.pose_code = (self.coder(f"{name}_code", precision) for name in ("action", "pose"))
        self.action_flow, self.pose_flow = (self.flower(f"{name}_flow", 3, precision) for name in ("action", "pose"))

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """The ten losses, which ``total`` sums."""
        losses = {name: f"{words[0].upper()}{words[1:]}. Falls." for name, (_, words) in TCAE_LOSSES.items()}
        return (Part(run=cls.cycles, losses=losses, logs=STILL, images="batch_size", passes=5, nets=()),)

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """L = 10 |x_o - target| + both cycles + six feature losses + .1 |action flow|. See ``Method``."""
        return sum(self.method[f"{name}_weight"] * loss[name] for name in TCAE_LOSSES)

    def coded(self, features: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """(action codes, pose codes), [n, D] each, of features of the encoder."""
        return self.action_code(features["face"]), self.pose_code(features["pose"])

    def of_frames(self, source: tf.Tensor, target: tf.Tensor, *, training: bool) -> list[list[tf.Tensor]]:
        """[codes of action, of pose], each [of the source, of the target]."""
        features = self.encoder(tf.concat([source, target], axis=0), training=training)
        return [tf.split(code, 2) for code in self.coded(features)]

    def flows(self, actions: Sequence[tf.Tensor], poses: Sequence[tf.Tensor], *, training: bool) -> list[tf.Tensor]:
        """Flows [n, S, S, 2] of action, of pose, and of both, weighted by the softmax of their masks.

        Args:
          actions, poses: (codes of the source, of the target), [n, D] each.
          training: whether BatchNorm takes the batch's statistics.
        """
        action, pose = (
            net(between(*codes), training=training)
            for net, codes in ((self.action_flow, actions), (self.pose_flow, poses))
        )
        share = tf.sigmoid(action[..., 2:] - pose[..., 2:])  # the softmax of two
        return [action[..., :2], pose[..., :2], share * action[..., :2] + (1.0 - share) * pose[..., :2]]

    def cycles(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """The ten losses, each of its own kept images."""
        source, target = self.seen(images, rng.named("cycles"))
        (action_s, action_t), (pose_s, pose_t) = self.of_frames(source, target, training=True)
        flows = self.flows((action_s, action_t), (pose_s, pose_t), training=True)
        acted, posed, both = (warp(source, flow) for flow in flows)

        warped = self.encoded_apart(tf.concat([acted, posed, both], axis=0))
        (action_a, action_p, action_b), (pose_a, pose_p, pose_b) = (tf.split(code, 3) for code in self.coded(warped))
        # The way back: a warped image's pixels get no gradient here, its codes do.
        back_a, back_p = (
            warp(tf.stop_gradient(image), net(between(code, wanted), training=True)[..., :2])
            for image, net, code, wanted in (
                (acted, self.action_flow, action_a, action_s),
                (posed, self.pose_flow, pose_p, pose_s),
            )
        )
        losses = {
            "both": difference(both, target),
            "action_cycle": difference(back_a, source),
            "pose_cycle": difference(back_p, source),
            "posed_pose": squared(pose_p, pose_t),
            "posed_action": squared(action_p, action_s),
            "acted_pose": squared(pose_a, pose_s),
            "acted_action": squared(action_a, action_t),
            "both_pose": squared(pose_b, pose_t),
            "both_action": squared(action_b, action_t),
            "action_flow": difference(flows[0], tf.zeros_like(flows[0])),
        }
        still = {"still": self.kept(difference(source, target))}
        return {name: self.kept(loss) for name, loss in losses.items()}, still

    def pictures(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """See ``Method``: the source with the target's action, with its pose, and with both."""
        source, target = frames(images)
        flows = self.flows(*self.of_frames(source, target, training=False), training=False)
        found = {"source": source, "target": target}
        for name, flow in zip(("action", "pose", "both"), flows, strict=True):
            found |= {f"flow of {name}": flow, f"{name} swapped": warp(source, flow)}
        return found


def squared(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of each code: [n, D] -> float32 [n]."""
    return tf.reduce_mean(tf.math.squared_difference(tf.cast(a, tf.float32), tf.cast(b, tf.float32)), axis=1)
