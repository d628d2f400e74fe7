"""The networks that discosim has built in, as torch modules."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Bottleneck(nn.Module):
    """torchvision's, v1.5; `groups` and `base` make it ResNeXt's or a wide one."""

    def __init__(
        self, before: int, width: int, stride: int, *, groups: int = 1, base: int = 64
    ) -> None:
        super().__init__()
        inner, after = width * base // 64 * groups, 4 * width
        self.conv1 = nn.Conv2d(before, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """He et al., CVPR 2016; Xie et al., CVPR 2017; Zagoruyko and Komodakis, BMVC 2016."""

    def __init__(
        self, depths: tuple[int, ...] = (3, 4, 6, 3), *, groups: int = 1, base: int = 64
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = 64
        for stage, depth in enumerate(depths):
            width = 64 << stage
            blocks = []
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(Bottleneck(before, width, stride, groups=groups, base=base))
                before = 4 * width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages = len(depths)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


class SelfAttention(nn.Module):
    """timm's: one matrix for queries, keys and values; `fused` as one operator or as products."""

    def __init__(self, features: int, heads: int, *, fused: bool = True) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, features = x.shape
        grid = self.qkv(x).reshape(batch, tokens, 3, self.heads, features // self.heads)
        q, k, v = grid.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(batch, tokens, features))


class Mlp(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class TransformerBlock(nn.Module):
    def __init__(self, features: int, heads: int, *, fused: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(features)
        self.attn = SelfAttention(features, heads, fused=fused)
        self.norm2 = nn.LayerNorm(features)
        self.mlp = Mlp(features, 4 * features)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """timm's `vision_transformer.py`: DeiT-S with 384 features and 6 heads."""

    def __init__(
        self, features: int = 384, heads: int = 6, depth: int = 12, *, fused: bool = True
    ) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, features, 16, stride=16)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, features))
        self.pos_embed = nn.Parameter(torch.zeros(1, 197, features))
        self.block = nn.ModuleList(
            TransformerBlock(features, heads, fused=fused) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(features)
        self.head = nn.Linear(features, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.block:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class SqueezeExcite(nn.Module):
    def __init__(self, features: int, squeezed: int, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(features, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, features, 1)
        self.act = nn.SiLU() if gate is None else nn.ReLU()
        self.gate = nn.Sigmoid() if gate is None else gate

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.act(self.reduce(F.adaptive_avg_pool2d(x, 1))))
        return x * self.gate(y)


def conv_norm(
    before: int,
    after: int,
    kernel: int,
    act: type[nn.Module] | None,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(
            before, after, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class InvertedResidual(nn.Module):
    def __init__(
        self,
        before: int,
        hidden: int,
        after: int,
        kernel: int,
        stride: int,
        act: type[nn.Module],
        excite: nn.Module | None = None,
    ) -> None:
        super().__init__()
        expands = hidden != before
        self.expand = conv_norm(before, hidden, 1, act) if expands else nn.Identity()
        self.depthwise = conv_norm(hidden, hidden, kernel, act, stride=stride, groups=hidden)
        self.se = excite
        self.project = conv_norm(hidden, after, 1, None)
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.expand(x))
        y = self.project(y if self.se is None else self.se(y))
        return y + x if self.adds else y


class MobileNetV2(nn.Module):
    """Sandler et al., CVPR 2018, or with `excite` Tan and Le's EfficientNet-B0, ICML 2019."""

    # expansion, kernel, stride, features, depth
    V2 = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 3, 2, 32, 3),
        (6, 3, 2, 64, 4),
        (6, 3, 1, 96, 3),
        (6, 3, 2, 160, 3),
        (6, 3, 1, 320, 1),
    )
    B0 = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )

    def __init__(self, *, excite: bool = False) -> None:
        super().__init__()
        act: type[nn.Module] = nn.SiLU if excite else nn.ReLU6
        self.stem = conv_norm(3, 32, 3, act, stride=2)
        before, blocks = 32, []
        for expansion, kernel, stride, features, depth in self.B0 if excite else self.V2:
            for index in range(depth):
                hidden = expansion * before
                se = SqueezeExcite(hidden, before // 4) if excite else None
                step = 1 if index else stride
                blocks.append(InvertedResidual(before, hidden, features, kernel, step, act, se))
                before = features
        self.blocks = nn.Sequential(*blocks)
        self.head = conv_norm(before, 1280, 1, act)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(x)))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


class DenseBlock(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for index in range(5):
            after = growth if index < 4 else features
            conv = nn.Conv2d(features + index * growth, after, 3, padding=1)
            setattr(self, f"conv{index + 1}", conv)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for index in range(4):
            joined = torch.cat(seen, 1) if index else x
            seen.append(F.leaky_relu(getattr(self, f"conv{index + 1}")(joined), 0.2))
        return self.conv5(torch.cat(seen, 1)) * 0.2 + x


class Esrgan(nn.Module):
    """Wang et al., ECCVW 2018; `RRDBNet_arch.py`."""

    def __init__(self, blocks: int = 23, features: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.rrdb = nn.ModuleList(
            nn.ModuleList(DenseBlock(features, growth) for _ in range(3)) for _ in range(blocks)
        )
        self.trunk_conv = nn.Conv2d(features, features, 3, padding=1)
        self.upconv = nn.ModuleList(nn.Conv2d(features, features, 3, padding=1) for _ in range(2))
        self.hr_conv = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.conv_first(x)
        for block in self.rrdb:
            y = x
            for dense in block:
                y = dense(y)
            x = y * 0.2 + x
        x = self.trunk_conv(x) + first
        for conv in self.upconv:
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.hr_conv(x), 0.2))


class Ssd300(nn.Module):
    """NVIDIA's SSD300 v1.1: a ResNet-50 without its last stage, extras, and two heads a map."""

    EXTRAS = ((256, 512, 2), (256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1))
    BOXES = (4, 6, 6, 6, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet((3, 4, 6))
        self.backbone.fc = nn.Identity()
        first = self.backbone.layer3[0]
        first.conv2.stride = first.downsample[0].stride = (1, 1)
        before = 1024
        widths, extras = [before], []
        for squeezed, after, stride in self.EXTRAS:
            extras.append(
                nn.Sequential(
                    nn.Conv2d(before, squeezed, 1, bias=False),
                    nn.BatchNorm2d(squeezed),
                    nn.ReLU(),
                    nn.Conv2d(
                        squeezed, after, 3, stride=stride, padding=int(stride > 1), bias=False
                    ),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                )
            )
            widths.append(before := after)
        self.extras = nn.ModuleList(extras)
        self.loc = nn.ModuleList(
            nn.Conv2d(w, 4 * b, 3, padding=1) for w, b in zip(widths, self.BOXES, strict=True)
        )
        self.conf = nn.ModuleList(
            nn.Conv2d(w, 81 * b, 3, padding=1) for w, b in zip(widths, self.BOXES, strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net = self.backbone
        x = net.maxpool(F.relu(net.bn1(net.conv1(x))))
        maps = [net.layer3(net.layer2(net.layer1(x)))]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        heads = zip(maps, self.loc, self.conf, strict=True)
        found = [(loc(m).flatten(1), conf(m).flatten(1)) for m, loc, conf in heads]
        return torch.cat([loc for loc, _ in found], 1), torch.cat([conf for _, conf in found], 1)
