"""Convolutional networks beside those that are built in; each class names its source."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.zoo.ours import InvertedResidual, ResNet, SqueezeExcite, conv_norm


def resnext50() -> nn.Module:
    """Xie et al., CVPR 2017: 32 groups of 4."""
    return ResNet(groups=32, base=4)


def wide_resnet50() -> nn.Module:
    """Zagoruyko and Komodakis, BMVC 2016: twice the inner width."""
    return ResNet(base=128)


class MobileNetV1(nn.Module):
    """Howard et al., 2017, Table 1."""

    WIDTHS = (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *((512, 1),) * 5,
        (1024, 2),
        (1024, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm(3, 32, 3, nn.ReLU, stride=2)]
        before = 32
        for after, stride in self.WIDTHS:
            layers.append(conv_norm(before, before, 3, nn.ReLU, stride=stride, groups=before))
            layers.append(conv_norm(before, after, 1, nn.ReLU))
            before = after
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3)))


def eighths(number: float) -> int:
    """The multiple of 8 nearest to a number, and not below 90 % of it."""
    near = max(8, int(number + 4) // 8 * 8)
    return near if near >= 0.9 * number else near + 8


class MobileNetV3(nn.Module):
    """Howard et al., ICCV 2019, Table 1 (large); as torchvision's."""

    # kernel, hidden, features, squeeze-excite, hard swish, stride
    ROWS = (
        (3, 16, 16, 0, 0, 1),
        (3, 64, 24, 0, 0, 2),
        (3, 72, 24, 0, 0, 1),
        (5, 72, 40, 1, 0, 2),
        (5, 120, 40, 1, 0, 1),
        (5, 120, 40, 1, 0, 1),
        (3, 240, 80, 0, 1, 2),
        (3, 200, 80, 0, 1, 1),
        (3, 184, 80, 0, 1, 1),
        (3, 184, 80, 0, 1, 1),
        (3, 480, 112, 1, 1, 1),
        (3, 672, 112, 1, 1, 1),
        (5, 672, 160, 1, 1, 2),
        (5, 960, 160, 1, 1, 1),
        (5, 960, 160, 1, 1, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm(3, 16, 3, nn.Hardswish, stride=2)]
        before = 16
        for kernel, hidden, after, se, swish, stride in self.ROWS:
            act = nn.Hardswish if swish else nn.ReLU
            excite = SqueezeExcite(hidden, eighths(hidden / 4), nn.Hardsigmoid()) if se else None
            layers.append(InvertedResidual(before, hidden, after, kernel, stride, act, excite))
            before = after
        layers.append(conv_norm(before, 960, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280), nn.Hardswish(), nn.Dropout(), nn.Linear(1280, 1000)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class MnasNet(nn.Module):
    """Tan et al., CVPR 2019: MNASNet-B1; as torchvision's."""

    ROWS = (
        (3, 3, 2, 24, 3),
        (3, 5, 2, 40, 3),
        (6, 5, 2, 80, 3),
        (6, 3, 1, 96, 2),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm(3, 32, 3, nn.ReLU, stride=2),
            conv_norm(32, 32, 3, nn.ReLU, groups=32),
            conv_norm(32, 16, 1, None),
        ]
        before = 16
        for expansion, kernel, stride, after, depth in self.ROWS:
            for index in range(depth):
                step = 1 if index else stride
                hidden = expansion * before
                layers.append(InvertedResidual(before, hidden, after, kernel, step, nn.ReLU))
                before = after
        layers.append(conv_norm(before, 1280, 1, nn.ReLU))
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))


class ShuffleBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        half = after // 2
        self.stride = stride
        own = before if stride > 1 else half
        self.branch1 = None
        if stride > 1:
            self.branch1 = nn.Sequential(
                conv_norm(own, own, 3, None, stride=2, groups=own), conv_norm(own, half, 1, nn.ReLU)
            )
        self.branch2 = nn.Sequential(
            conv_norm(own, half, 1, nn.ReLU),
            conv_norm(half, half, 3, None, stride=stride, groups=half),
            conv_norm(half, half, 1, nn.ReLU),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.branch1 is None:
            kept, x = x.chunk(2, dim=1)
        else:
            kept = self.branch1(x)
        y = torch.cat([kept, self.branch2(x)], 1)
        batch, features, height, width = y.shape
        y = y.view(batch, 2, features // 2, height, width).transpose(1, 2)
        return y.reshape(batch, features, height, width)


class ShuffleNetV2(nn.Module):
    """Ma et al., ECCV 2018, 1x; as torchvision's."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm(3, 24, 3, nn.ReLU, stride=2), nn.MaxPool2d(3, 2, 1)]
        before = 24
        for after, depth in ((116, 4), (232, 8), (464, 4)):
            for index in range(depth):
                layers.append(ShuffleBlock(before, after, 1 if index else 2))
                before = after
        layers.append(conv_norm(before, 1024, 1, nn.ReLU))
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean([2, 3]))


class DenseLayer(nn.Module):
    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, y], 1)


class DenseNet(nn.Module):
    """Huang et al., CVPR 2017, Table 1, growth 32; as torchvision's."""

    def __init__(self, depths: tuple[int, ...] = (6, 12, 24, 16)) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        before = 64
        for number, depth in enumerate(depths):
            if number:
                layers += [
                    nn.BatchNorm2d(before),
                    nn.ReLU(),
                    nn.Conv2d(before, before // 2, 1, bias=False),
                    nn.AvgPool2d(2),
                ]
                before //= 2
            for _ in range(depth):
                layers.append(DenseLayer(before, 32))
                before += 32
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(before), nn.ReLU())
        self.classifier = nn.Linear(before, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


class Inception(nn.Module):
    def __init__(self, before: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        one, three_in, three, five_in, five, pooled = sizes
        self.branch1 = conv_norm(before, one, 1, nn.ReLU)
        self.branch2 = nn.Sequential(
            conv_norm(before, three_in, 1, nn.ReLU), conv_norm(three_in, three, 3, nn.ReLU)
        )
        self.branch3 = nn.Sequential(
            conv_norm(before, five_in, 1, nn.ReLU), conv_norm(five_in, five, 3, nn.ReLU)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv_norm(before, pooled, 1, nn.ReLU)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """Szegedy et al., CVPR 2015; as torchvision's, whose 5x5 convolutions are 3x3."""

    ROWS = (
        (192, 64, 96, 128, 16, 32, 32),
        (256, 128, 128, 192, 32, 96, 64),
        None,
        (480, 192, 96, 208, 16, 48, 64),
        (512, 160, 112, 224, 24, 64, 64),
        (512, 128, 128, 256, 24, 64, 64),
        (512, 112, 144, 288, 32, 64, 64),
        (528, 256, 160, 320, 32, 128, 128),
        None,
        (832, 256, 160, 320, 32, 128, 128),
        (832, 384, 192, 384, 48, 128, 128),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm(3, 64, 7, nn.ReLU, stride=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            conv_norm(64, 64, 1, nn.ReLU),
            conv_norm(64, 192, 3, nn.ReLU),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        ]
        for row in self.ROWS:
            pool = nn.MaxPool2d(3 if len(layers) < 9 else 2, 2, ceil_mode=True)
            layers.append(pool if row is None else Inception(row[0], row[1:]))
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class RegNetBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int, group: int) -> None:
        super().__init__()
        self.a = conv_norm(before, after, 1, nn.ReLU)
        self.b = conv_norm(after, after, 3, nn.ReLU, stride=stride, groups=after // group)
        self.se = SqueezeExcite(after, round(0.25 * before), nn.Sigmoid())
        self.c = conv_norm(after, after, 1, None)
        changes = stride > 1 or before != after
        self.proj = conv_norm(before, after, 1, None, stride=stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.proj(x) + self.c(self.se(self.b(self.a(x)))))


class RegNet(nn.Module):
    """Radosavovic et al., CVPR 2020: RegNetY-400MF; as torchvision's."""

    STAGES = ((48, 1), (104, 3), (208, 6), (440, 6))

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_norm(3, 32, 3, nn.ReLU, stride=2)]
        before = 32
        for after, depth in self.STAGES:
            for index in range(depth):
                layers.append(RegNetBlock(before, after, 1 if index else 2, 8))
                before = after
        self.trunk = nn.Sequential(*layers)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.trunk(x), 1).flatten(1))


class ConvNeXtBlock(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(features, features, 7, padding=3, groups=features)
        self.norm = nn.LayerNorm(features)
        self.pwconv1 = nn.Linear(features, 4 * features)
        self.pwconv2 = nn.Linear(4 * features, features)
        self.gamma = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class NormFirst(nn.Module):
    """Layer normalisation over the channels of an image, by its sums, as ConvNeXt's authors do."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        spread = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(spread + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNeXt(nn.Module):
    """Liu et al., CVPR 2022: ConvNeXt-T, as the authors' `models/convnext.py`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 96, 4, stride=4), NormFirst(96)]
        before = 96
        for after, depth in ((96, 3), (192, 3), (384, 9), (768, 3)):
            if after != before:
                layers += [NormFirst(before), nn.Conv2d(before, after, 2, stride=2)]
            layers += [ConvNeXtBlock(after) for _ in range(depth)]
            before = after
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(before)
        self.head = nn.Linear(before, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.features(x).mean([-2, -1])))


class UNet(nn.Module):
    """Ronneberger et al., MICCAI 2015, with padding, so that 256 pixels give 256."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(
            self._double(b, a) for b, a in zip((3, *widths), widths, strict=False)
        )
        turned = widths[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for b, a in pairwise(turned))
        self.merge = nn.ModuleList(self._double(2 * a, a) for a in turned[1:])
        self.last = nn.Conv2d(64, 2, 1)

    def _double(self, before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for index, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if index else x)
            seen.append(x)
        for up, merge, skip in zip(self.up, self.merge, seen[-2::-1], strict=True):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.last(x)


class Darknet53(nn.Module):
    """Redmon and Farhadi, YOLOv3, 2018, Table 1, with the heads of the detector."""

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.stem = self._conv(3, 32, 3)
        self.stages = nn.ModuleList()
        before = 32
        for after, depth in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
            halves = [
                nn.Sequential(self._conv(after, after // 2, 1), self._conv(after // 2, after, 3))
                for _ in range(depth)
            ]
            self.stages.append(nn.ModuleList([self._conv(before, after, 3, 2), *halves]))
            before = after
        boxes = 3 * (5 + classes)
        self.necks = nn.ModuleList(
            nn.Sequential(
                self._conv(b, w, 1),
                self._conv(w, 2 * w, 3),
                self._conv(2 * w, w, 1),
                self._conv(w, 2 * w, 3),
                self._conv(2 * w, w, 1),
            )
            for b, w in ((1024, 512), (768, 256), (384, 128))
        )
        self.outs = nn.ModuleList(
            nn.Sequential(self._conv(w, 2 * w, 3), nn.Conv2d(2 * w, boxes, 1))
            for w in (512, 256, 128)
        )
        self.narrow = nn.ModuleList([self._conv(512, 256, 1), self._conv(256, 128, 1)])
        self.boxes = boxes

    def _conv(self, before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage[0](x)
            for half in list(stage)[1:]:
                x = x + half(x)
            maps.append(x)
        found = []
        y = maps[-1]
        for index, (neck, out) in enumerate(zip(self.necks, self.outs, strict=True)):
            y = neck(y)
            z = out(y)
            batch, _, height, width = z.shape
            z = z.view(batch, 3, self.boxes // 3, height * width).permute(0, 1, 3, 2)
            found.append(z.reshape(batch, 3 * height * width, self.boxes // 3))
            if index < 2:
                y = F.interpolate(self.narrow[index](y), scale_factor=2.0)
                y = torch.cat([y, maps[-2 - index]], 1)
        return torch.cat(found, 1)


class Edsr(nn.Module):
    """Lim et al., CVPRW 2017: the baseline, 16 blocks of 64, twice the size."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 64, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)
            )
            for _ in range(16)
        )
        self.last = nn.Conv2d(64, 64, 3, padding=1)
        self.tail = nn.Sequential(
            nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(64, 3, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.head(x)
        for block in self.body:
            x = x + block(x)
        return self.tail(first + self.last(x))


class GhostModule(nn.Module):
    def __init__(self, before: int, after: int, act: bool) -> None:
        super().__init__()
        half = after // 2
        self.primary = conv_norm(before, half, 1, nn.ReLU if act else None)
        self.cheap = conv_norm(half, half, 3, nn.ReLU if act else None, groups=half)

    def forward(self, x: Tensor) -> Tensor:
        x = self.primary(x)
        return torch.cat([x, self.cheap(x)], 1)


class Res2NetBlock(nn.Module):
    """Gao et al., TPAMI 2021: a bottleneck whose 3x3 convolution is four in a row."""

    def __init__(self, before: int, width: int, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        inner = width * scale
        self.conv1 = conv_norm(before, inner, 1, nn.ReLU)
        self.convs = nn.ModuleList(conv_norm(width, width, 3, nn.ReLU) for _ in range(scale - 1))
        self.conv3 = conv_norm(inner, before, 1, None)
        self.ghost = GhostModule(before, before, act=True)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.conv1(x).chunk(self.scale, 1)
        done = [parts[0]]
        for part, conv in zip(parts[1:], self.convs, strict=True):
            done.append(conv(part if len(done) == 1 else part + done[-1]))
        return F.relu(self.ghost(x) + self.conv3(torch.cat(done, 1)))


class Generator(nn.Module):
    """Radford et al., ICLR 2016: DCGAN's generator of 64 pixels."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(100, 512, 4, bias=False)]
        for width in (256, 128, 64):
            layers += [
                nn.BatchNorm2d(2 * width),
                nn.ReLU(),
                nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            ]
        layers += [nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class WaveNet(nn.Module):
    """van den Oord et al., 2016: gated dilated convolutions over samples, two times ten layers."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, width, 1)
        self.gated = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=2 ** (n % 10), padding=2 ** (n % 10))
            for n in range(20)
        )
        self.mixed = nn.ModuleList(nn.Conv1d(width, 2 * width, 1) for _ in range(20))
        self.last = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 256, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        total = torch.zeros_like(x)
        for gated, mixed in zip(self.gated, self.mixed, strict=True):
            value, gate = gated(x)[..., : x.shape[-1]].chunk(2, 1)
            residual, skip = mixed(torch.tanh(value) * torch.sigmoid(gate)).chunk(2, 1)
            x, total = x + residual, total + skip
        return self.last(total)


class PointNet(nn.Module):
    """Qi et al., CVPR 2017: the classifier, without the two transforming networks."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(
                nn.Sequential(nn.Conv1d(b, a, 1), nn.BatchNorm1d(a), nn.ReLU())
                for b, a in ((3, 64), (64, 64), (64, 64), (64, 128), (128, 1024))
            )
        )
        self.fc = nn.Sequential(
            nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 40)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.convs(x).max(dim=2)[0])
