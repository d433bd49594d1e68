"""FaceCycle (Chang, Chen, Chiu, ICCV 2021), its first stage, a baseline of Tables 1 to 4: a flow that takes motion away."""

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses.images import asymmetry, gram_difference, ssim
from pcl_tf.methods.base import Method, frames
from pcl_tf.methods.objective import Part, Scalars
from pcl_tf.networks import facecycle as networks
from pcl_tf.seeds import Rng
from pcl_tf.warp import warp

LOSSES = {
    "pixel": "mean absolute errors of four reconstructions: by the other frame's neutral face, generated, and warped;"
    " without a flow; and by the other frame warped twice",
    "ssim": "1 - structural similarity of three of them",
    "symmetry": "differences of the halves of neutral faces, generated and warped",
    "gram": "differences of Gram matrices of VGG-19's features",
}


class FaceCycle(Method):
    """Each frame's code gives a flow to a neutral face, and back; frames of a clip share it. Args: see ``Method``.

    Differs from the released code in: our backbone, of whose ``face`` the code is made; no noise beside the generator's
    features; images in [0, 1]; a flow that leads beyond the image reads its edge, not 0; upsampling by half pixels;
    one rate for the recipe's whole run. Without ``method.vgg`` the generator's first layers, which are VGG-19's with
    weights learnt on ImageNet, are smaller and learnt, and there is no Gram loss: another method in part.
    """

    def __init__(self, *args: Any, precision: str = "float32", **kwargs: Any) -> None:
        super().__init__(*args, precision=precision, **kwargs)
        m, how = self.method, {"width": self.recipe.network.width, "dtype": precision}
        self.code = networks.motion_code(self.encoder.output["face"].shape[-1], m.embedding, dtype=precision)
        self.flow = networks.motion_flow(m.embedding, self.recipe.image_size, **how)
        if not m.vgg:
            print("facecycle: without --set method.vgg=FILE layers of VGG-19 are learnt, and no Gram loss is taken.")
        self.features = networks.vgg_features(m.vgg) if m.vgg else networks.learnt_features(**how)
        self.generator = networks.generator(*(x.shape[-1] for x in self.features.outputs[:2]), **how)

    @classmethod
    def pairs(cls, recipe: ConfigDict) -> str:
        """See ``Method``. Mirror images do where no clips are known."""
        return "wanted"

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """The losses of a cycle, which ``total`` sums."""
        words = {name: f"{text[0].upper()}{text[1:]}. Falls." for name, text in LOSSES.items()}
        losses = {name: text for name, text in words.items() if name != "gram" or recipe.method.vgg}
        return (Part(run=cls.cycle, losses=losses, images="batch_size", passes=2, nets=()),)

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """L = L_pixel + 5 L_ssim + 1.5 L_symmetry + .01 L_gram. See ``Method``."""
        return sum(self.method[f"{name}_weight"] * loss[name] for name in self.losses_on(self.recipe))

    @classmethod
    def problems(cls, recipe: ConfigDict) -> list[str]:
        """See ``Method``."""
        file, side, found = recipe.method.vgg, recipe.image_size, super().problems(recipe)
        if file and not pathlib.Path(file).is_file():
            found.append(f"--recipe.method.vgg={file}: no such file.")
        return found + ([f"--recipe.image_size must be a multiple of 16, not {side}."] if side % 16 else [])

    def seen(self, images: tf.Tensor, rng: Rng) -> tf.Tensor:
        """float32 [2n, S, S, 3]: first frames, then others or their mirror images; each with its own views."""
        first, other = frames(images)
        mirror = first[:, :, ::-1]
        drawn = rng.named("mirror").uniform(first.shape[0]) < self.method.mirror_share
        other = tf.where(drawn[:, None, None, None], mirror, other) if len(images.shape) == 5 else mirror
        return tf.concat([self.frame_view(x, rng=rng.named(f"frame{i}")) for i, x in enumerate((first, other))], axis=0)

    def generated(self, images: tf.Tensor, flow: tf.Tensor | None = None) -> tf.Tensor:
        """Images of the generator, whose features a flow may move: float32 [N, S, S, 3] -> the same."""
        maps = [tf.cast(x, tf.float32) for x in self.features(images)[:2]]
        if flow is not None:
            maps = [warp(x, tf.image.resize(flow, x.shape[1:3])) for x in maps]
        return self.generator([x + tf.reduce_mean(x, axis=[1, 2], keepdims=True) for x in maps])

    def cycled(self, x: tf.Tensor, *, training: bool) -> list[tf.Tensor]:
        """What becomes of both frames, [2n, S, S, 3]: the flow that takes motion away, and images.

        These are neutral faces, generated and warped; and from the other frame's neutral face by the way back the
        frame itself, generated, warped, and warped from what was warped.
        """
        flow = self.flow(self.code(self.encoder(x, training=training)["face"]))
        back = -warp(flow, flow)
        wide, wide_back = (tf.image.resize(f, x.shape[1:3]) for f in (flow, back))
        neutral, still = self.generated(x, flow), warp(x, wide)
        shared, shared_still = (tf.roll(image, x.shape[0] // 2, axis=0) for image in (neutral, still))  # the other's
        return [
            flow,
            neutral,
            still,
            self.generated(shared, back),
            warp(shared, wide_back),
            warp(shared_still, wide_back),
        ]

    def pictures(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """See ``Method``."""
        first, other = frames(images) if len(images.shape) == 5 else (images, images[:, :, ::-1])
        names = ("flow", "neutral", "neutral, warped", "from the other", "warped from it")
        made = self.cycled(tf.concat([first, other], axis=0), training=False)
        return {"source": first, "other": other} | {k: x[: len(first)] for k, x in zip(names, made, strict=False)}

    def cycle(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """The losses of both frames: each is made neutral, and again itself from the other's neutral face."""
        x = self.seen(images, rng.named("cycle"))
        _, neutral, still, again, warped, twice = self.cycled(x, training=True)
        plain = self.generated(x)

        def apart(image: tf.Tensor) -> tf.Tensor:
            return tf.reduce_mean(tf.abs(image - x))

        losses = {
            "pixel": apart(again) + apart(plain) + apart(warped) + 1.5 * apart(twice),
            "ssim": (1.0 - ssim(again, x)) + (1.0 - ssim(plain, x)) + 1.5 * (1.0 - ssim(twice, x)),
            "symmetry": asymmetry(neutral) + 0.5 * asymmetry(still),
        }
        if self.method.vgg:
            wanted = self.features(x)
            found = [self.features(image) for image in (neutral, warped, twice, again)]
            losses["gram"] = tf.add_n(
                [gram_difference(a, b) for maps in found for a, b in zip(maps, wanted, strict=True)]
            )
        return losses, {}
