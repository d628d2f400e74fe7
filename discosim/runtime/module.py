"""A network as a torch module: parameters called as the graph's layers, executed by its edges."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.masks.mask import Bools, Ints, LayerMask, Mask
from discosim.runtime import operators
from discosim.runtime.pieces import check_runnable

CONVOLUTIONS: Mapping[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORMS: Mapping[int, type[nn.Module]] = {
    0: nn.BatchNorm1d,
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


Outputs = Tensor | tuple[Tensor, ...]
"""What a module returns: a tensor, or a tuple of them where there are several outputs."""


class FeaturesFirst(nn.Linear):
    """A matrix over features, which stand before the positions."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the product at every position."""
        return operators.mix(self.layer, x, self.weight, self.bias)


class _LayerNorm(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(layer.in_features))
        self.bias = nn.Parameter(torch.zeros(layer.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised over its features at every position."""
        return operators.norm(x, self.weight, self.bias)


class _GroupNorm(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        features, self.layer = layer.in_features, layer
        self.weight = nn.Parameter(torch.ones(features)) if layer.learned else None
        self.bias = nn.Parameter(torch.zeros(features)) if layer.learned else None

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised over each group of its features at all positions."""
        return operators.group_norm(self.layer, x, self.weight, self.bias)


class _L2Norm(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(layer.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with features of unit length at every position, scaled."""
        return operators.norm(x, self.weight, None)


class _Embedding(nn.Module):
    """Learned tokens and positions, as many as the layer's count of parameters leaves room for."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        features, tokens = layer.out_shape
        extra = tokens - int(np.prod(layer.in_shape[1:]))
        positions = layer.learned - extra * features
        if extra < 0 or positions not in (0, features * tokens):
            raise DiscosimError(
                f"{layer.name}: {layer.learned} learned parameters are no tokens and positions"
            )
        scale = 0.02  # as timm initialises them
        self.token = nn.Parameter(scale * torch.randn(features, extra)) if extra else None
        self.weight = nn.Parameter(scale * torch.randn(features, tokens)) if positions else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens with their positions."""
        return operators.embed(x, self.token, self.weight)


class _Function(nn.Module):
    """An operator without parameters."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """Return what the operator makes of its operands."""
        layer = self.layer
        match layer.op:
            case "activation":
                return operators.activate(layer, x)
            case "pool":
                return operators.pool(layer, x)
            case "upsample":
                return operators.upsample(layer, x)
            case "reshape":
                return operators.reshape(layer, x)
            case "attention":
                return operators.attend(layer, x)
            case "flatten":
                return x.flatten(1)
            case "slice":
                return x[:, layer.start : layer.start + layer.out_features]
            case "shuffle":
                return x[:, layer.operator.carry(layer, np.arange(layer.out_features))]
            case "concat":
                return torch.cat([x, *others], dim=1)
            case "add":
                return x + others[0]
            case "multiply":
                return x * others[0]
        raise DiscosimError(f"{layer.name}: no run knows the operator {layer.op!r}")


def _module(layer: Layer) -> nn.Module:
    match layer.op:
        case "conv":
            make = CONVOLUTIONS[len(layer.kernel)]
            return make(
                layer.in_features,
                layer.out_features,
                layer.kernel,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                layer.bias,
            )
        case "linear":
            return FeaturesFirst(layer)
        case "batch_norm":
            return BATCH_NORMS[len(layer.in_shape) - 1](
                layer.in_features, eps=operators.BATCH_NORM_EPS
            )
        case "layer_norm":
            return _LayerNorm(layer)
        case "group_norm":
            return _GroupNorm(layer)
        case "l2_norm":
            return _L2Norm(layer)
        case "embed":
            return _Embedding(layer)
    return _Function(layer)


class NetworkModule(nn.Module):
    """A Network that torch can run and train; layer `a.b` is the submodule `a.b`.

    Where the graph does not say: batch and group norms divide by sqrt(var + 1e-5), layer norms by
    sqrt(var + 1e-6), an activation is a ReLU.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        check_runnable(network)
        self.network = network
        for layer in network.layers:
            *path, last = layer.name.split(".")
            parent: nn.Module = self
            for part in path:
                if part not in parent._modules:
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            module, placeholder = _module(layer), parent._modules.get(last)
            for name, child in placeholder.named_children() if placeholder else ():
                module.add_module(name, child)
            parent.add_module(last, module)
        self._last_reader = {
            tensor: layer.name
            for layer in network.layers
            for tensor in network.operands(layer.name)
            if tensor not in network.outputs
        }

    def forward(self, x: Tensor) -> Outputs:
        """Return the output of `x`, (batch, *input_shape), or a tuple where there are several."""
        tensors = {INPUT: x}
        for layer in self.network.layers:
            operands = self.network.operands(layer.name)
            module = self.get_submodule(layer.name)
            tensors[layer.name] = module(*(tensors[tensor] for tensor in operands))
            for tensor in set(operands):
                if self._last_reader.get(tensor) == layer.name:
                    del tensors[tensor]
        outputs = tuple(tensors[name] for name in self.network.outputs)
        return outputs[0] if len(outputs) == 1 else outputs


def loaded(
    network: Network, state: Mapping[str, Tensor], mask: Mask | None = None
) -> NetworkModule:
    """Return the network with the parameters of a state_dict, masked or not, for inference."""
    module = NetworkModule(network).eval()
    module.load_state_dict(dict(state))
    if mask is not None:
        apply_mask(module, mask, network)
    return module


def several(outputs: Outputs) -> tuple[Tensor, ...]:
    """Return the outputs of a module, one or more, as a tuple."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


def dense_mask(mask: Mask, network: Network, layer: str) -> NDArray[np.bool_]:
    """Return which weights of `layer` are kept, in the shape of its weight but for the kernel.

    The mask M of the paper's Section III-C, (O, I), or (O, I/G) of a convolution with G groups.
    """
    own = mask.layers[layer]
    return rows_of_mask(network.graph.nodes[layer]["layer"], own.kept, own.out_owner)


def rows_of_mask(layer: Layer, kept: Bools, out_owner: Ints) -> NDArray[np.bool_]:
    """Return the same of sub-rows (N, I) that are kept and the node of each output, (O,)."""
    rows = kept[out_owner]
    if layer.groups == 1:
        return rows
    width = layer.in_features // layer.groups
    first = np.arange(layer.out_features) * layer.groups // layer.out_features * width
    return np.take_along_axis(rows, first[:, None] + np.arange(width), axis=1)


def apply_mask(module: nn.Module, mask: Mask, network: Network) -> None:
    """Set the weights that the mask prunes to zero, in place."""
    apply_layer_masks(module, mask.layers.values(), network)


def apply_layer_masks(module: nn.Module, masks: Iterable[LayerMask], network: Network) -> None:
    """Set the weights that masks of single layers prune to zero, in place."""
    with torch.no_grad():
        for own in masks:
            weight = module.get_submodule(own.layer).weight
            assert isinstance(weight, Tensor)
            layer = network.graph.nodes[own.layer]["layer"]
            kept = torch.from_numpy(rows_of_mask(layer, own.kept, own.out_owner))
            weight.mul_(kept.reshape(*kept.shape, *(1,) * (weight.dim() - 2)))
