"""What a criterion needs to have measured on inputs: slopes in gates, changes of the output.

A gate multiplies the weights of a sub-row (p, i): y_o = sum over i of g_pi W_oi x_i for outputs o
of node p. With d the derivative of an objective in y, its derivative in the gate is the inner
product of x_i with what d carries back to it through the weights of p, for each input on its own.
Any torch module serves whose convolutions and linear layers are called as the network's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.criteria import LEVELS, the_criterion
from discosim.masks.mask import Bools, Ints
from discosim.masks.select import find_candidates, least_of_layer
from discosim.masks.sub_rows import Floats, masked_layers, prunable
from discosim.partition.placement import Owners
from discosim.runtime.inputs import Inputs
from discosim.runtime.module import FeaturesFirst, Outputs, rows_of_mask, several

PROJECTIONS = 2
"""Of the output, for each input: more of them cost a backward pass each, as more inputs do."""

BATCH = 16
"""Inputs at a time, for the memory alone; the projections are drawn batch by batch."""

SENSITIVITY_LEVELS = np.array([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])
"""S_comm at which each layer is tried, a pass over all inputs each: nearer to 1 more is lost."""

Objectives = Callable[[Outputs, Tensor | None], Iterator[Tensor]]
"""Scalars that sum a value of each input of a batch; labels where they are known."""

Progress = Callable[[int, int], None]


def measure(
    criterion: str,
    module: nn.Module,
    network: Network,
    nodes: int,
    owners: Mapping[str, Owners],
    inputs: Inputs,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Floats]:
    """Return what `criterion` wants of each layer, by name; the module is as it was afterwards.

    owners: the node of each feature of every tensor. seed: of the projections. Raises
    DiscosimError for a criterion that measures nothing, and for labels that it lacks.
    """
    if criterion not in MEASURES:
        raise DiscosimError(f"criterion {the_criterion(criterion).name} measures nothing on inputs")
    shown = progress or (lambda _done, _all: None)
    with _evaluated(module):
        return MEASURES[criterion](module, network, nodes, owners, inputs, seed, shown)


def _loss_slopes(
    module: nn.Module, network: Network, nodes: int, owners: Mapping[str, Owners],
    inputs: Inputs, seed: int, progress: Progress,
) -> dict[str, Floats]:  # fmt: skip
    """Mean squared slope of the loss: cross entropy of classes, squared error of values."""
    del seed
    if inputs.labels is None:
        raise DiscosimError("criterion taylor needs labels, and the data has none")
    _check_labels(inputs, network)

    def losses(outputs: Outputs, labels: Tensor | None) -> Iterator[Tensor]:
        assert labels is not None
        first = several(outputs)[0]
        if labels.dtype.is_floating_point:
            yield functional.mse_loss(first, labels, reduction="sum") * (len(first) / first.numel())
        else:
            spread = first[0].numel() // first.shape[1]
            yield functional.cross_entropy(first, labels, reduction="sum") / spread

    return gate_slopes(module, network, nodes, owners, inputs, losses, progress)


def _check_labels(inputs: Inputs, network: Network) -> None:
    """Raise DiscosimError where labels are neither classes nor values of the first output."""
    labels, shape = inputs.labels, network.graph.nodes[network.outputs[0]]["layer"].out_shape
    assert labels is not None
    of_classes = labels.dtype.kind in "iu" and labels.shape[1:] == shape[1:]
    if of_classes and labels.min() >= 0 and labels.max() < shape[0]:
        return
    if labels.dtype.kind == "f" and labels.shape[1:] == shape:
        return
    raise DiscosimError(
        f"labels are {labels.dtype} of shape {labels.shape}; wanted whole numbers from 0 to "
        f"{shape[0] - 1} or values of the output, {shape}, for each of {len(inputs)} inputs"
    )


def _output_slopes(
    module: nn.Module, network: Network, nodes: int, owners: Mapping[str, Owners],
    inputs: Inputs, seed: int, progress: Progress,
) -> dict[str, Floats]:  # fmt: skip
    """Mean squared slope of random projections of the output, drawn for each input."""
    draws = torch.Generator().manual_seed(seed)

    def projections(outputs: Outputs, _labels: Tensor | None) -> Iterator[Tensor]:
        for _ in range(PROJECTIONS):
            parts = [
                (y * torch.randn(y.shape, generator=draws).to(y)).sum() for y in several(outputs)
            ]
            yield torch.stack(parts).sum()

    return gate_slopes(module, network, nodes, owners, inputs, projections, progress)


def gate_slopes(
    module: nn.Module,
    network: Network,
    nodes: int,
    owners: Mapping[str, Owners],
    inputs: Inputs,
    objectives: Objectives,
    progress: Progress | None = None,
) -> dict[str, Floats]:
    """Return the mean over inputs and objectives of the squared derivative in each gate, (N, I).

    By layer name; zero where nothing may be pruned. Parameters get no gradients.
    """
    sums = {each.name: np.zeros((nodes, each.in_features)) for each in masked_layers(network)}
    handles, count = [], 0
    for layer in masked_layers(network):
        out_owner = owners[layer.name]
        assert out_owner is not None
        if prunable(layer, owners[network.operands(layer.name)[0]], out_owner, nodes).any():
            at = _sub(module, layer)
            hook = _Gates(layer, out_owner, nodes, sums[layer.name])
            handles.append(at.register_forward_hook(hook.watch))
    try:
        for begin in range(0, len(inputs), BATCH):
            x, labels = _tensors(inputs, begin, module)
            outputs = module(x.requires_grad_(True))
            scalars = list(objectives(outputs, labels))
            for number, scalar in enumerate(scalars, start=1):
                torch.autograd.grad(scalar, x, retain_graph=number < len(scalars))
            count += len(x) * len(scalars)
            if progress is not None:
                progress(min(begin + BATCH, len(inputs)), len(inputs))
    finally:
        for handle in handles:
            handle.remove()
    return {name: each / max(1, count) for name, each in sums.items()}


class _Gates:
    """Adds the squared derivatives in a layer's gates, of each input, whenever one goes back."""

    def __init__(self, layer: Layer, out_owner: Ints, nodes: int, sums: Floats) -> None:
        self.layer, self.sums = layer, sums
        self.outputs = [torch.from_numpy(np.flatnonzero(out_owner == n)) for n in range(nodes)]

    def watch(self, at: nn.Module, operands: tuple[Tensor, ...], output: Tensor) -> None:
        x, weight = operands[0].detach(), _weight(at).detach()

        def add(back: Tensor) -> None:
            for node, outputs in enumerate(self.outputs):
                if len(outputs):
                    slopes = self._slopes(at, x, weight, back.detach(), outputs)
                    self.sums[node] += slopes.double().square().sum(0).cpu().numpy()

        output.register_hook(add)  # type: ignore[no-untyped-call]

    def _slopes(
        self, at: nn.Module, x: Tensor, weight: Tensor, back: Tensor, outputs: Tensor
    ) -> Tensor:
        """Derivatives in the gates of one node's sub-rows, (B, I)."""
        if isinstance(at, nn.Linear):
            features = 1 if isinstance(at, FeaturesFirst) else -1
            x, back = (each.movedim(features, -1) for each in (x, back))
            carried = back[..., outputs] @ weight[outputs]
            return (carried * x).reshape(len(x), -1, x.shape[-1]).sum(1)
        if self.layer.groups == 1:
            back, weight = back[:, outputs], weight[outputs]
        else:
            own = back.new_zeros(back.shape[1])
            own[outputs] = 1.0
            back = back * own.reshape(1, -1, *(1,) * (back.dim() - 2))
        carried = _carried_back(at, x, weight, back)
        return (carried * x).flatten(2).sum(2)


def _carried_back(at: nn.Module, x: Tensor, weight: Tensor, back: Tensor) -> Tensor:
    """What a convolution carries back to its input."""
    assert isinstance(at, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    gradient: Tensor = torch.ops.aten.convolution_backward(
        back, x, weight, None, at.stride, at.padding, at.dilation, False,
        [0] * len(at.stride), at.groups, [True, False, False],
    )[0]  # fmt: skip
    return gradient


def _changes(
    module: nn.Module, network: Network, nodes: int, owners: Mapping[str, Owners],
    inputs: Inputs, seed: int, progress: Progress,
) -> dict[str, Floats]:  # fmt: skip
    """Mean squared change of the output, at LEVELS, without a layer's least L1 norms alone.

    Measured at SENSITIVITY_LEVELS, on lines between them; what falls again counts as the most
    before it.
    """
    del seed
    weights = {
        f"{layer.name}.weight": _weight(_sub(module, layer)).detach().cpu().numpy()
        for layer in masked_layers(network)
    }
    found = find_candidates(network, nodes, weights, "l1", owners)
    with torch.no_grad():
        wanted = [
            _flat(module(_tensors(inputs, at, module)[0])) for at in range(0, len(inputs), BATCH)
        ]
        changes = {}
        for done, each in enumerate(found, start=1):
            lost = np.zeros(len(SENSITIVITY_LEVELS))
            for at, level in enumerate(SENSITIVITY_LEVELS[1:], start=1):
                if each.prunable.any():
                    kept = ~least_of_layer(each, float(level))
                    owner = each.seen.out_owner
                    lost[at] = _change(module, each.layer, kept, owner, inputs, wanted)
            curve = np.maximum.accumulate(lost)
            changes[each.layer.name] = np.interp(LEVELS, SENSITIVITY_LEVELS, curve)
            progress(done, len(found))
    return changes


def _change(
    module: nn.Module,
    layer: Layer,
    kept: Bools,
    out_owner: Ints,
    inputs: Inputs,
    wanted: list[Tensor],
) -> float:
    """Mean over inputs of the squared change of the output where a layer has only `kept`."""
    at = _sub(module, layer)
    weight = at.weight_orig if hasattr(at, "weight_orig") else at.weight  # held masks stay on it
    assert isinstance(weight, Tensor)
    before = weight.clone()
    rows = torch.from_numpy(rows_of_mask(layer, kept, out_owner)).to(weight.device)
    weight.mul_(rows.reshape(*rows.shape, *(1,) * (weight.dim() - 2)))
    try:
        total = 0.0
        for number, right in enumerate(wanted):
            x, _ = _tensors(inputs, BATCH * number, module)
            total += float((_flat(module(x)) - right).double().square().sum())
    finally:
        weight.copy_(before)
    return total / len(inputs)


def _flat(outputs: Outputs) -> Tensor:
    return torch.cat([y.flatten(1) for y in several(outputs)], dim=1)


def _tensors(inputs: Inputs, begin: int, module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """A batch as the module's parameters are: of their type, where they are."""
    part, like = inputs.some(slice(begin, begin + BATCH)), next(module.parameters())
    x = torch.from_numpy(part.x.copy()).to(like)
    if part.labels is None:
        return x, None
    labels = torch.from_numpy(part.labels.copy())
    return x, labels.to(like) if part.labels.dtype.kind == "f" else labels.long().to(like.device)


def _sub(module: nn.Module, layer: Layer) -> nn.Module:
    return module.get_submodule(layer.name)


def _weight(at: nn.Module) -> Tensor:
    weight = at.weight
    assert isinstance(weight, Tensor)
    return weight


@contextmanager
def _evaluated(module: nn.Module) -> Iterator[None]:
    """Norms by their statistics, and no gradients of parameters, while it lasts."""
    training = {each: each.training for each in module.modules()}
    wanting = {each: each.requires_grad for each in module.parameters()}
    module.eval()
    for parameter in wanting:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for each, mode in training.items():
            each.training = mode
        for parameter, wants in wanting.items():
            parameter.requires_grad_(wants)


MEASURES: Mapping[str, Callable[..., dict[str, Floats]]] = {
    "taylor": _loss_slopes,
    "gauss-newton": _output_slopes,
    "sensitivity": _changes,
}
"""How each criterion that wants inputs is measured."""
