"""Transformers beside those that are built in; each class names its source."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.zoo.ours import Mlp, TransformerBlock


class Gpt2(nn.Module):
    """Radford et al., 2019: the smallest; the last matrix is that of the tokens."""

    def __init__(self, tokens: int = 50257, context: int = 1024) -> None:
        super().__init__()
        self.wte = nn.Embedding(tokens, 768)
        self.wpe = nn.Embedding(context, 768)
        self.h = nn.ModuleList(CausalBlock(768, 12, context) for _ in range(12))
        self.ln_f = nn.LayerNorm(768)
        self.lm_head = nn.Linear(768, tokens, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, index: Tensor) -> Tensor:
        x = self.wte(index) + self.wpe(torch.arange(index.shape[1], device=index.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class CausalBlock(nn.Module):
    def __init__(self, features: int, heads: int, context: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(features)
        self.c_attn = nn.Linear(features, 3 * features)
        self.c_proj = nn.Linear(features, features)
        self.ln_2 = nn.LayerNorm(features)
        self.mlp = Mlp(features, 4 * features)
        self.heads = heads
        mask = torch.tril(torch.ones(context, context, dtype=torch.bool))
        self.register_buffer("mask", mask[None, None])

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, features = x.shape
        q, k, v = (
            part.view(batch, tokens, self.heads, features // self.heads).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x)).split(features, dim=2)
        )
        scores = (q @ k.transpose(-2, -1)) / (features // self.heads) ** 0.5
        scores = scores.masked_fill(~self.mask[:, :, :tokens, :tokens], float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(batch, tokens, features))
        return x + self.mlp(self.ln_2(x))


class Bert(nn.Module):
    """Devlin et al., NAACL 2019: BERT-base with its pooler, as Hugging Face's `BertModel`."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(30522, 768)
        self.position = nn.Embedding(512, 768)
        self.kind = nn.Embedding(2, 768)
        self.norm = nn.LayerNorm(768)
        self.layer = nn.ModuleList(BertLayer(768, 12) for _ in range(12))
        self.pooler = nn.Linear(768, 768)

    def forward(self, words: Tensor, kinds: Tensor, mask: Tensor) -> Tensor:
        at = torch.arange(words.shape[1], device=words.device)
        x = self.norm(self.word(words) + self.position(at) + self.kind(kinds))
        added = (1.0 - mask[:, None, None, :].float()) * -10000.0
        for layer in self.layer:
            x = layer(x, added)
        return torch.tanh(self.pooler(x[:, 0]))


class BertLayer(nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.dense = nn.Linear(features, features)
        self.norm1 = nn.LayerNorm(features)
        self.mlp = Mlp(features, 4 * features)
        self.norm2 = nn.LayerNorm(features)

    def split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, added: Tensor) -> Tensor:
        q, k, v = (self.split(each(x)) for each in (self.query, self.key, self.value))
        scores = torch.matmul(q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5 + added
        y = torch.matmul(scores.softmax(-1), v).permute(0, 2, 1, 3).flatten(2)
        x = self.norm1(self.dense(y) + x)
        return self.norm2(self.mlp(x) + x)


class Llama(nn.Module):
    """Touvron et al., 2023, in the size of SmolLM-135M: three queries share a key and a value."""

    def __init__(
        self, depth: int = 30, features: int = 576, heads: int = 9, shared: int = 3
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(49152, features)
        self.layers = nn.ModuleList(LlamaLayer(features, heads, shared, 1536) for _ in range(depth))
        self.norm = nn.RMSNorm(features)
        self.lm_head = nn.Linear(features, 49152, bias=False)
        self.lm_head.weight = self.embed.weight

    def forward(self, index: Tensor) -> Tensor:
        x = self.embed(index)
        at = torch.arange(index.shape[1], device=index.device, dtype=torch.float32)
        angles = at[:, None] * (1e4 ** (-torch.arange(0, 64, 2) / 64))[None]
        turns = torch.cat([angles, angles], -1)
        for layer in self.layers:
            x = layer(x, turns.cos(), turns.sin())
        return self.lm_head(self.norm(x))


class LlamaLayer(nn.Module):
    def __init__(self, features: int, heads: int, shared: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.groups = heads, heads // shared
        width = features // heads
        self.q_proj = nn.Linear(features, features, bias=False)
        self.k_proj = nn.Linear(features, self.groups * width, bias=False)
        self.v_proj = nn.Linear(features, self.groups * width, bias=False)
        self.o_proj = nn.Linear(features, features, bias=False)
        self.gate_proj = nn.Linear(features, hidden, bias=False)
        self.up_proj = nn.Linear(features, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, features, bias=False)
        self.norm1, self.norm2 = nn.RMSNorm(features), nn.RMSNorm(features)

    def turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, tokens, features = x.shape
        y = self.norm1(x)
        q = self.q_proj(y).view(batch, tokens, self.heads, -1).transpose(1, 2)
        k = self.k_proj(y).view(batch, tokens, self.groups, -1).transpose(1, 2)
        v = self.v_proj(y).view(batch, tokens, self.groups, -1).transpose(1, 2)
        q, k = self.turned(q, cos, sin), self.turned(k, cos, sin)
        repeats = self.heads // self.groups
        k, v = (
            each[:, :, None].expand(-1, -1, repeats, -1, -1).reshape(q.shape) for each in (k, v)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(y.transpose(1, 2).reshape(batch, tokens, features))
        y = self.norm2(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))


class SwinBlock(nn.Module):
    def __init__(self, features: int, heads: int, size: int, shift: int) -> None:
        super().__init__()
        self.heads, self.size, self.shift = heads, size, shift
        self.norm1 = nn.LayerNorm(features)
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)
        self.norm2 = nn.LayerNorm(features)
        self.mlp = Mlp(features, 4 * features)
        self.table = nn.Parameter(torch.zeros(13 * 13, heads))
        grid = torch.stack(torch.meshgrid(torch.arange(7), torch.arange(7), indexing="ij"))
        apart = grid.flatten(1)[:, :, None] - grid.flatten(1)[:, None] + 6
        self.register_buffer("index", apart[0] * 13 + apart[1])
        windows = (size // 7) ** 2
        self.register_buffer("mask", torch.zeros(windows, 49, 49) if shift else None)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, features = x.shape
        side, count = self.size, (self.size // 7) ** 2
        y = self.norm1(x).view(batch, side, side, features)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = y.view(batch, side // 7, 7, side // 7, 7, features).transpose(2, 3)
        y = y.reshape(batch * count, 49, features)
        grid = self.qkv(y).reshape(batch * count, 49, 3, self.heads, features // self.heads)
        q, k, v = grid.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        bias = self.table[self.index.view(-1)].view(49, 49, -1).permute(2, 0, 1)
        scores = scores + bias[None]
        if self.mask is not None:
            scores = scores.view(batch, count, self.heads, 49, 49) + self.mask[None, :, None]
            scores = scores.view(-1, self.heads, 49, 49)
        y = self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, 49, features))
        y = y.view(batch, side // 7, side // 7, 7, 7, features).transpose(2, 3)
        y = y.reshape(batch, side, side, features)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y.view(batch, tokens, features)
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.norm = nn.LayerNorm(4 * features)
        self.reduction = nn.Linear(4 * features, 2 * features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, features = x.shape
        x = x.view(batch, self.size, self.size, features)
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, -1).view(batch, -1, 4 * features)))


class Swin(nn.Module):
    """Liu et al., ICCV 2021: Swin-T, as the authors' `models/swin_transformer.py`."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 96, 4, stride=4)
        self.norm0 = nn.LayerNorm(96)
        layers: list[nn.Module] = []
        features, size = 96, 56
        for stage, (depth, heads) in enumerate(((2, 3), (2, 6), (6, 12), (2, 24))):
            if stage:
                layers.append(PatchMerging(features, size))
                features, size = 2 * features, size // 2
            shifts = (0, 3 if size > 7 else 0)
            layers += [SwinBlock(features, heads, size, shifts[n % 2]) for n in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(features)
        self.head = nn.Linear(features, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm0(self.patch_embed(x).flatten(2).transpose(1, 2))
        return self.head(self.norm(self.layers(x)).mean(1))


class Mixer(nn.Module):
    """Tolstikhin et al., NeurIPS 2021: Mixer-B/16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 768, 16, stride=16)
        self.tokens = nn.ModuleList(Mlp(196, 384) for _ in range(12))
        self.channels = nn.ModuleList(Mlp(768, 3072) for _ in range(12))
        self.norms = nn.ModuleList(nn.LayerNorm(768) for _ in range(25))
        self.head = nn.Linear(768, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for index, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            y = self.norms[2 * index](x).transpose(1, 2)
            x = x + tokens(y).transpose(1, 2)
            x = x + channels(self.norms[2 * index + 1](x))
        return self.head(self.norms[24](x).mean(1))


class T5Encoder(nn.Module):
    """Raffel et al., JMLR 2020: the encoder of T5-small, with one position bias."""

    def __init__(self, tokens: int = 128) -> None:
        super().__init__()
        self.shared = nn.Embedding(32128, 512)
        self.bias = nn.Embedding(32, 8)
        apart = (torch.arange(tokens)[:, None] - torch.arange(tokens)[None]).abs()
        self.register_buffer("bucket", apart.clamp(max=31))
        self.layers = nn.ModuleList(T5Layer() for _ in range(6))
        self.norm = nn.RMSNorm(512)

    def forward(self, index: Tensor) -> Tensor:
        x = self.shared(index)
        bias = self.bias(self.bucket).permute(2, 0, 1)[None]
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)


class T5Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(512), nn.RMSNorm(512)
        self.q, self.k, self.v, self.o = (nn.Linear(512, 512, bias=False) for _ in range(4))
        self.wi, self.wo = nn.Linear(512, 2048, bias=False), nn.Linear(2048, 512, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        y = self.norm1(x)
        q, k, v = (each(y).unflatten(-1, (8, 64)) for each in (self.q, self.k, self.v))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) + bias
        y = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)
        x = x + self.o(y.flatten(2))
        return x + self.wo(F.relu(self.wi(self.norm2(x))))


class Detr(nn.Module):
    """Carion et al., ECCV 2020: transformer and heads, for 100 objects in 20 x 20 features."""

    def __init__(self) -> None:
        super().__init__()
        self.input_proj = nn.Conv2d(2048, 256, 1)
        self.transformer = nn.Transformer(256, 8, 6, 6, 2048, batch_first=True)
        self.query = nn.Parameter(torch.zeros(100, 256))
        self.position = nn.Parameter(torch.zeros(400, 256))
        self.classes = nn.Linear(256, 92)
        self.boxes = nn.Sequential(
            nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 4)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.input_proj(x).flatten(2).transpose(1, 2) + self.position
        y = self.transformer(x, self.query[None].expand(x.shape[0], -1, -1))
        return self.classes(y), self.boxes(y).sigmoid()


class Conformer(nn.Module):
    """Gulati et al., Interspeech 2020: a block of the small one (144 features), on 200 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Mlp(144, 576), Mlp(144, 576)
        self.block = TransformerBlock(144, 4)
        self.pointwise1 = nn.Conv1d(144, 288, 1)
        self.depthwise = nn.Conv1d(144, 144, 31, padding=15, groups=144)
        self.norm = nn.BatchNorm1d(144)
        self.pointwise2 = nn.Conv1d(144, 144, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x + 0.5 * self.first(x))
        y = F.glu(self.pointwise1(x.transpose(1, 2)), dim=1)
        y = self.pointwise2(F.silu(self.norm(self.depthwise(y))))
        x = x + y.transpose(1, 2)
        return x + 0.5 * self.second(x)
