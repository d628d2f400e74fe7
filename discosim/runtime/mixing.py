"""A node's part of one convolution or linear layer."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from discosim.graph.layer import Layer
from discosim.masks.mask import Ints, LayerMask
from discosim.runtime import operators
from discosim.runtime.pieces import alike, pieces

State = Mapping[str, Tensor]


class Mixing:
    """What a node computes of a layer: first from its own features, then from received ones.

    Without groups these are two products that add up. A grouped convolution is computed when all
    is there; groups that keep unequally many inputs one after the other.
    """

    def __init__(
        self, layer: Layer, masked: LayerMask, node: int, held: Ints, received: Ints, state: State
    ) -> None:
        self.layer = layer
        self._bias = state.get(f"{layer.name}.bias")
        self._parts = pieces(layer, masked, node)
        self._outputs = sum(len(part.outputs) for part in self._parts)
        self._alike = alike(self._parts)
        self._received = len(received)
        self._local: Tensor | None = None
        self._remote: Tensor | None = None
        name = f"{layer.name}.weight"
        names = [name] if self._alike else [f"{name}.{part.group}" for part in self._parts]
        self._weights = [state[n] if n in state else torch.empty(0) for n in names]
        have = np.concatenate([held, received])
        self._at = [_positions(have, part.inputs) for part in self._parts]
        if layer.groups == 1 and self._parts:
            [weight], [at] = self._weights, self._at
            own = np.flatnonzero(at < len(held))
            far = np.flatnonzero(at >= len(held))
            if len(own):
                self._local = weight[:, torch.from_numpy(own)].contiguous()
            if len(far):
                self._remote = weight[:, torch.from_numpy(far)].contiguous()
            self._of_own, self._of_received = at[own], at[far] - len(held)

    def local(self, x: Tensor) -> Tensor | None:
        """Return what needs no received feature, or None where nothing can be done without."""
        if self._local is None:
            return None
        return operators.mix(self.layer, _chosen(x, self._of_own), self._local, self._bias)

    def with_received(self, x: Tensor, buffer: Tensor | None, y: Tensor | None) -> Tensor:
        """Return the node's output from x, what was received, and `local` of x."""
        if not self._outputs:
            return x.new_empty((1, 0, *self.layer.out_shape[1:]))
        if self.layer.groups > 1:
            return self._grouped(x, buffer)
        bias = self._bias if y is None else None
        if self._remote is not None:
            assert buffer is not None
            far = _chosen(buffer, self._of_received)
            if y is not None and self.layer.op == "linear" and far.dim() > 2:
                y[0].flatten(1).addmm_(self._remote, far[0].flatten(1))
                return y
            far = operators.mix(self.layer, far, self._remote, bias)
            return far if y is None else y.add_(far)
        return self._nothing(x, self._bias) if y is None else y

    def _grouped(self, x: Tensor, buffer: Tensor | None) -> Tensor:
        have = x if buffer is None or not buffer.shape[1] else torch.cat([x, buffer], dim=1)
        if self._alike:
            at = np.concatenate(self._at)
            if not len(at):
                return self._nothing(x, self._bias)
            groups = len(self._parts)
            return operators.mix(
                self.layer, _chosen(have, at), self._weights[0], self._bias, groups
            )
        sizes = [len(part.outputs) for part in self._parts]
        biases = [None] * len(sizes) if self._bias is None else torch.split(self._bias, sizes)
        outputs = [
            operators.mix(self.layer, _chosen(have, at), weight, bias)
            if len(at)
            else self._nothing(x, bias, size)
            for at, weight, bias, size in zip(self._at, self._weights, biases, sizes, strict=True)
        ]
        return torch.cat(outputs, dim=1)

    def _nothing(self, x: Tensor, bias: Tensor | None, outputs: int | None = None) -> Tensor:
        """The output of features that nothing reaches: the bias."""
        count = self._outputs if outputs is None else outputs
        y = x.new_zeros((1, count, *self.layer.out_shape[1:]))
        return y if bias is None else y + operators.along_features(bias, y)


def _positions(have: Ints, wanted: Ints) -> Ints:
    order = np.argsort(have, kind="stable")
    at: Ints = order[np.searchsorted(have[order], wanted)] if len(wanted) else wanted
    return at


def _chosen(x: Tensor, at: Ints) -> Tensor:
    """The features `at` of x, without a copy where these are all in their order."""
    if len(at) == x.shape[1] and np.array_equal(at, np.arange(len(at))):
        return x
    return x[:, torch.from_numpy(at)]
