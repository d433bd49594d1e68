"""The released code's iteration in PyTorch, to be timed beside ours. Imports torch and nothing of TensorFlow.

Written from what the released networks compute and do, not from their text: the same state dict, the same outputs for
the same weights (``tests/benchmark/test_released.py``), three alternating Adam updates with coupled L2, every mixed
negative a vector. Views are left out, which spares this side some time: they have no place of their own in its rate.
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

TAU, MIXING, NOISE = 0.07, 1.6, 0.4
PRECISIONS = {"float32": None, "mixed_bfloat16": torch.bfloat16}


def _conv(incoming: int, filters: int, kernel: int = 3, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(incoming, filters, kernel, stride, kernel // 2)


def _leaky(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.LeakyReLU(0.1))))


class _Attention(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.g, self.theta, self.phi = (_conv(filters, filters, 1) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        g, theta, phi = (f(x).flatten(2) for f in (self.g, self.theta, self.phi))  # [N, C, H * W]
        similarity = phi @ theta.softmax(2).transpose(1, 2)  # [N, C, C]
        return F.leaky_relu(x + (similarity @ g.softmax(1)).view_as(x), 0.1)


class _Residual(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(filters, filters), _conv(filters, filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x + self.conv2(F.leaky_relu(self.conv1(x), 0.1)), 0.1)


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _leaky(_conv(3, 64, 7, stride=2), _conv(64, 64))
        self.layer1 = nn.Sequential(*_leaky(_conv(64, 64)), _Attention(64), *_leaky(_conv(64, 64)))
        self.layer2_1 = nn.Sequential(*_leaky(_conv(64, 128, 3, stride=2)), _Attention(128), *_leaky(_conv(128, 128)))
        self.resblock1, self.resblock2 = _Residual(128), _Residual(128)
        self.layer2_2 = _leaky(_conv(128, 128, 3, stride=2), _conv(128, 128))
        self.layer3_1 = _leaky(_conv(128, 256, 3, stride=2), _conv(256, 128))
        self.layer3_2_exp = _leaky(_conv(128, 128), _conv(128, 128))
        self.layer3_2_pose = _leaky(_conv(128, 128), _conv(128, 128))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        for part in (self.conv1, self.layer1, self.layer2_1, self.resblock1, self.resblock2, self.layer2_2):
            x = part(x)
        x = self.layer3_1(x)
        return x.flatten(1), self.layer3_2_exp(x).flatten(1), self.layer3_2_pose(x).flatten(1)


class _Decoder(nn.Module):
    def __init__(self, features: int = 2048) -> None:
        super().__init__()
        self.fc = nn.Linear(features, 512)
        channels, layers = [512, 256, 256, 256, 256, 128, 3], []
        for i in range(6):
            last = nn.Tanh() if i == 5 else nn.BatchNorm2d(channels[i + 1])
            up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            layers += [nn.ReLU(), up, _conv(channels[i], channels[i + 1]), last]
        self.model = nn.Sequential(*layers)

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return self.model(self.fc(F.normalize(code))[:, :, None, None])


def _head(features: int = 2048) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 512), nn.BatchNorm1d(512))


class Released(nn.Module):
    """The released networks: 'encoder', 'exp_fc' and 'pose_fc' (projection heads), 'decoder'; for 64 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.exp_fc, self.pose_fc, self.decoder = _Encoder(), _head(), _head(), _Decoder()


def _cross_correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    a, b = (F.normalize(x - x.mean(0), eps=1e-6) for x in (a, b))
    return (a.T @ b).square().mean()


def _mixed(negatives: torch.Tensor) -> torch.Tensor:
    """[A, M, D] -> the same, each mixed with another of its row: one permutation, one Beta draw a pair."""
    m = torch.distributions.Beta(MIXING, MIXING).sample(negatives.shape[:2])[..., None]
    return m * negatives + (1 - m) * negatives[:, torch.randperm(negatives.shape[1])]


def contrast(anchors: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of [positive, negatives]: [A, D], [A, D], [A, M, D] -> scalar."""
    anchors = F.normalize(anchors)
    positive = (anchors * F.normalize(positives)).sum(1, keepdim=True)
    negative = torch.einsum("ad,amd->am", anchors, F.normalize(negatives, dim=2))
    logits = torch.cat([positive, negative], 1) / TAU
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def _pdd(nets: Released, images: torch.Tensor) -> torch.Tensor:
    mirror = images.flip(3)
    _, face, pose = nets.encoder(torch.cat([x + NOISE * torch.randn_like(x) for x in (images, mirror)]))
    (f, f2), (p, p2) = face.chunk(2), pose.chunk(2)
    decoded = nets.decoder(torch.cat([f + p, f + p2, f2 + p, f2 + p2]))
    wanted = torch.cat([images, mirror, images, mirror])
    return 4 * (decoded - wanted).abs().mean() + _cross_correlation(f, p) + _cross_correlation(f2, p2)


def _face(nets: Released, images: torch.Tensor) -> torch.Tensor:
    z = nets.exp_fc(nets.encoder(torch.cat([images, images.flip(3)]))[1]).float()
    rows = torch.arange(len(z))
    partner = (rows + len(images)) % len(z)
    mask = torch.ones(len(z), len(z), dtype=torch.bool)
    mask[rows, rows] = mask[rows, partner] = False
    others = rows.expand(len(z), -1)[mask].view(len(z), -1)
    return contrast(z, z[partner], _mixed(z[others]))


def _pose(nets: Released, images: torch.Tensor, count: int) -> torch.Tensor:
    positives = torch.cat([images, images])
    negatives = images.flip(3).repeat_interleave(count, 0)
    z, n = (nets.pose_fc(nets.encoder(x)[2]).float() for x in (positives, negatives))
    n = _mixed(n.view(count, len(images), -1).transpose(0, 1))  # their layout: an anchor's row is mostly other images
    return contrast(z, z[(torch.arange(len(z)) + len(images)) % len(z)], torch.cat([n, n]))


class Iteration:
    """An iteration of the released training: three parts on images of their own, an update each.

    Args:
      batch, pose_batch, count: images of the first two parts; of the pose part; its negatives an image.
      precision: 'float32' (as published) or 'mixed_bfloat16' (autocast).
    """

    def __init__(self, batch: int, pose_batch: int, count: int, *, precision: str) -> None:
        torch.manual_seed(0)
        self.nets, self.precision = Released(), PRECISIONS[precision]
        self.optimizer = torch.optim.Adam(self.nets.parameters(), 1e-4, weight_decay=1e-3)
        self.images = [torch.rand(n, 3, 64, 64) for n in (batch, batch, pose_batch)]
        self.count = count

    def run(self) -> list[float]:
        """Three updates; returns their losses."""
        parts = (_pdd, _face, lambda nets, images: _pose(nets, images, self.count))
        losses = []
        for part, images in zip(parts, self.images, strict=True):
            with torch.autocast("cpu", self.precision, enabled=self.precision is not None):
                loss = part(self.nets, images)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return losses


if __name__ == "__main__":
    # python -m pcl_tf.benchmark.released_step BATCH POSE_BATCH COUNT PRECISION: a line in, an iteration, its seconds out.
    iteration = Iteration(*map(int, sys.argv[1:4]), precision=sys.argv[4])
    for _ in sys.stdin:
        began = time.perf_counter()
        iteration.run()
        print(time.perf_counter() - began, flush=True)
