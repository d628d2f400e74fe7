"""Criteria: what scaling cannot change, a second route to each slope, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.masks.criteria import CRITERIA, LEVELS, Seen, Wants, criterion, the_criterion
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import find_candidates, select
from discosim.masks.sub_rows import Floats, masked_layers, prunable
from discosim.model.rounding import kept_features
from discosim.networks import build
from discosim.partition.placement import place
from discosim.runtime.inputs import Inputs
from discosim.runtime.measure import MEASURES, measure
from discosim.runtime.module import NetworkModule, apply_mask, loaded
from discosim.runtime.operators import BATCH_NORM_EPS
from discosim.runtime.state import random_state
from tests.split import on_one_thread
from tests.strategies import networks

pytestmark = pytest.mark.extras

one_thread = pytest.fixture(autouse=True)(on_one_thread)

INVARIANT = ("l1-log", "taylor", "gauss-newton")


def normed() -> Network:
    """Convolutions of all kinds with batch norms behind them, and a residual."""
    net = Builder("normed", (3, 6, 6))
    x = net.conv(INPUT, 8, 3, "conv0")
    for index, groups in enumerate((1, 2, 8, 1)):
        y = net.batch_norm(net.conv(x, 8, 3, f"conv{index + 1}", groups=groups), f"bn{index + 1}")
        x = net.add(net.activation(y, f"act{index + 1}"), x, f"add{index + 1}")
    net.linear(net.flatten(net.global_pool(x, "pool"), "flatten"), 5, "fc")
    return net.build()


def module_of(network: Network, seed: int = 0) -> NetworkModule:
    return loaded(network, random_state(network, seed)).double()


def drawn(network: Network, count: int, seed: int = 0) -> Inputs:
    draws = np.random.default_rng(seed)
    x = draws.standard_normal((count, *network.input_shape)).astype(np.float32)
    return Inputs(x, draws.integers(0, 5, count))


def numbers(module: NetworkModule) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def curves(criterion: str, module: NetworkModule, nodes: int, inputs: Inputs) -> dict[str, Floats]:
    network = module.network
    owners = place(network, nodes)
    found = None
    if the_criterion(criterion).measured:
        found = measure(criterion, module, network, nodes, owners, inputs)
    return saliency_curves(
        network, nodes, numbers(module), owners=owners, criterion=criterion, measured=found
    )


def rescaled(module: NetworkModule, conv: str, norm: str, factor: float) -> NetworkModule:
    """The same function: the weights times a factor, and the norm behind them to match."""
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state[f"{conv}.weight"] *= factor
    state[f"{norm}.running_mean"] *= factor
    variance = state[f"{norm}.running_var"]
    state[f"{norm}.running_var"] = factor**2 * (variance + BATCH_NORM_EPS) - BATCH_NORM_EPS
    other = NetworkModule(module.network).double().eval()
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("criterion", INVARIANT)
@settings(max_examples=8)
@given(st.integers(1, 4), st.floats(0.25, 4), st.integers(2, 4), st.integers(0, 3))
def test_scaling_a_convolution_and_its_norm_changes_nothing(
    criterion: str, index: int, factor: float, nodes: int, seed: int
) -> None:
    module = module_of(normed(), seed)
    other = rescaled(module, f"conv{index}", f"bn{index}", factor)
    inputs = drawn(module.network, 3, seed)
    one, two = (curves(criterion, each, nodes, inputs) for each in (module, other))
    for name, curve in one.items():
        np.testing.assert_allclose(two[name], curve, rtol=1e-5, atol=1e-9 * curve[-1])


def test_raw_norms_change_with_the_scale_of_a_layer() -> None:
    """What the law is for: the paper's sum over layers is another one, the network is not."""
    module = module_of(normed())
    other = rescaled(module, "conv2", "bn2", 4.0)
    inputs = drawn(module.network, 3)
    x = torch.from_numpy(inputs.x).double()
    torch.testing.assert_close(module(x), other(x))
    one, two = (curves("l1", each, 2, inputs) for each in (module, other))
    np.testing.assert_allclose(two["conv2"], 4 * one["conv2"])


# A second route to what is measured


def _module_with_gates(
    network: Network, nodes: int
) -> tuple[Callable[[torch.Tensor, dict[str, torch.Tensor]], torch.Tensor], NetworkModule]:
    """The output of the network where each sub-row's weights are multiplied by its gate."""
    module, owners = module_of(network), place(network, nodes)

    def outputs(x: torch.Tensor, gates: dict[str, torch.Tensor]) -> torch.Tensor:
        weights = {}
        for layer in masked_layers(network):
            owner = torch.from_numpy(owners[layer.name])
            rows = gates[layer.name][owner]  # (O, I)
            width = layer.in_features // layer.groups
            group = torch.arange(layer.out_features) * layer.groups // layer.out_features
            columns = group[:, None] * width + torch.arange(width)
            weight = module.get_submodule(layer.name).weight
            factor = torch.gather(rows, 1, columns)
            factor = factor.reshape(*factor.shape, *(1,) * (weight.dim() - 2))
            weights[f"{layer.name}.weight"] = weight.detach() * factor
        return torch.func.functional_call(module, weights, (x,))

    return outputs, module


@settings(max_examples=12)
@given(networks(), st.integers(2, 3))
def test_slopes_are_those_of_gates_written_out(network: Network, nodes: int) -> None:
    inputs = drawn(network, 2)
    outputs, module = _module_with_gates(network, nodes)
    owners = place(network, nodes)
    ones = {
        layer.name: torch.ones(nodes, layer.in_features, dtype=torch.float64)
        for layer in masked_layers(network)
    }
    wanted = {name: np.zeros(tuple(gate.shape)) for name, gate in ones.items()}
    for at in range(len(inputs)):
        x, label = torch.from_numpy(inputs.x[at : at + 1]).double(), inputs.labels[at : at + 1]
        gates = {name: gate.clone().requires_grad_() for name, gate in ones.items()}
        loss = torch.nn.functional.cross_entropy(outputs(x, gates), torch.from_numpy(label))
        slopes = torch.autograd.grad(loss, list(gates.values()))
        for name, slope in zip(gates, slopes, strict=True):
            wanted[name] += slope.square().numpy() / len(inputs)
    found = measure("taylor", module, network, nodes, owners, inputs)
    for layer in masked_layers(network):
        may = prunable(layer, owners[network.operands(layer.name)[0]], owners[layer.name], nodes)
        if may.any():
            np.testing.assert_allclose(
                found[layer.name][may], wanted[layer.name][may], rtol=1e-6, atol=1e-12
            )


def test_projections_come_to_the_squared_norm_of_the_jacobian() -> None:
    network, nodes = normed(), 2
    outputs, module = _module_with_gates(network, nodes)
    inputs = drawn(network, 1)
    many = Inputs(np.repeat(inputs.x, 1000, axis=0))
    found = measure("gauss-newton", module, network, nodes, place(network, nodes), many)
    ones = {
        layer.name: torch.ones(nodes, layer.in_features, dtype=torch.float64)
        for layer in masked_layers(network)
    }
    x = torch.from_numpy(inputs.x).double()
    jacobian = torch.func.jacrev(lambda gates: outputs(x, gates)[0])(ones)
    for name in ("conv1", "conv2", "conv4", "fc"):
        exact = jacobian[name].square().sum(0).detach().numpy()
        may = found[name] > 0
        np.testing.assert_allclose(found[name][may], exact[may], rtol=0.25)


@torch.no_grad()
def test_sensitivity_is_the_output_change_of_a_masked_layer() -> None:
    network = normed()
    module, owners, inputs = module_of(network), place(network, 2), drawn(network, 4)
    found = measure("sensitivity", module, network, 2, owners, inputs)
    x = torch.from_numpy(inputs.x).double()
    dense = module(x)
    weights = numbers(module)
    for name in ("conv1", "conv2"):
        knob = {name: 0.5}
        masked = module_of(network)
        apply_mask(masked, select(network, 2, knob, weights), network)
        change = float((masked(x) - dense).square().sum() / len(x))
        assert found[name][50] == pytest.approx(change)
        assert (np.diff(found[name]) >= 0).all()
    assert not found["conv0"].any()  # its input is on every node
    torch.testing.assert_close(module(x), dense)  # nothing has stayed


@pytest.mark.parametrize("criterion", sorted(MEASURES))
def test_a_module_is_left_as_it_was(criterion: str) -> None:
    network = normed()
    module = module_of(network).train()
    module.get_submodule("conv1").weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    measure(criterion, module, network, 2, place(network, 2), drawn(network, 2))
    assert all(each.training for each in module.modules())
    wanting = {name for name, each in module.named_parameters() if each.requires_grad}
    assert wanting == {name for name, _ in module.named_parameters()} - {"conv1.weight"}
    after = module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert all(not each._forward_hooks for each in module.modules())


class Plain(torch.nn.Module):
    """Tokens whose features stand last, as anyone writes them; only names are agreed on."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = torch.nn.Linear(6, 8), torch.nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (B, features, tokens)."""
        return self.two(self.one(x.movedim(1, -1)).relu()).movedim(-1, 1)


def test_any_module_with_the_names_of_the_layers_is_measured_alike() -> None:
    net = Builder("tokens", (6, 5))
    x = net.activation(net.linear(INPUT, 8, "one"), "relu")
    net.linear(x, 4, "two")
    network = net.build()
    ours = NetworkModule(network)
    plain = Plain()
    plain.load_state_dict(ours.state_dict())
    inputs = Inputs(drawn(network, 3).x)
    owners = place(network, 2)
    found = [measure("gauss-newton", m, network, 2, owners, inputs) for m in (ours, plain)]
    np.testing.assert_allclose(found[0]["two"], found[1]["two"], rtol=1e-5)
    assert found[0]["two"].any()  # a unit that no input wakes has no slope


# Choosing, and what the curves say


@pytest.mark.parametrize("criterion", sorted(CRITERIA))
def test_every_criterion_selects_and_says_what_layers_lose(criterion: str) -> None:
    network = normed()
    module, owners, inputs = module_of(network), place(network, 2), drawn(network, 4)
    found = None
    if the_criterion(criterion).measured:
        found = measure(criterion, module, network, 2, owners, inputs)
    mask = select(network, 2, 0.5, numbers(module), criterion, measured=found)
    chosen = 0
    for own in mask.layers.values():
        layer = network.graph.nodes[own.layer]["layer"]
        between = prunable(layer, own.in_owner, own.out_owner, 2)
        left = 0.0 if criterion == "branches" else kept_features(0.5, between.sum())
        assert (own.kept & between).sum() == left
        chosen += between.sum()
    assert chosen > 0
    for name, curve in curves(criterion, module, 2, inputs).items():
        assert curve.shape == LEVELS.shape
        assert curve[0] == 0
        assert (np.diff(curve) >= 0).all(), name
        assert np.isfinite(curve).all()


def test_the_log_of_what_is_left_is_that_of_all_norms_of_the_layer() -> None:
    network = build("resnet18/8", (32,))
    weights = {name: each.numpy() for name, each in random_state(network).items()}
    raw, logs = (saliency_curves(network, 2, weights, criterion=c) for c in ("l1", "l1-log"))
    for layer in masked_layers(network):
        whole = np.abs(weights[f"{layer.name}.weight"]).sum(dtype=float)
        wanted = -np.log(1 - raw[layer.name] / whole)
        np.testing.assert_allclose(logs[layer.name], wanted, rtol=1e-6, atol=1e-12)


def test_a_new_criterion_is_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("discosim.masks.criteria.CRITERIA", dict(CRITERIA))

    @criterion("largest", Wants.WEIGHTS, "largest weight of sub-rows")
    def largest(seen: Seen) -> Floats:
        """Return something that is no sum."""
        assert seen.weight is not None
        return np.abs(seen.weight).max() * np.arange(seen.nodes * seen.layer.in_features).reshape(
            seen.nodes, -1
        )

    network = build("resnet18/8", (32,))
    weights = {name: each.numpy() for name, each in random_state(network).items()}
    mask = select(network, 2, 0.5, weights, "largest", "pair")
    assert mask.criterion == "largest per pair, S_comm 0.5"
    lost = saliency_curves(network, 2, weights, criterion="largest")
    assert all(curve[-1] > 0 for name, curve in lost.items() if name != "conv1")


def test_scores_in_one_unit_are_not_compared_with_their_layers_mean() -> None:
    network = normed()
    module, owners, inputs = module_of(network), place(network, 2), drawn(network, 4)
    found = measure("gauss-newton", module, network, 2, owners, inputs)
    mask = select(network, 2, 0.5, None, "gauss-newton", "network", measured=found)
    scores = np.concatenate(
        [
            np.where(mask.layers[c.layer.name].kept, c.scores, -c.scores - 1)[c.prunable]
            for c in find_candidates(network, 2, None, "gauss-newton", owners, measured=found)
        ]
    )
    assert scores[scores >= 0].min() >= (-scores[scores < 0] - 1).max()


@pytest.mark.parametrize(
    ("criterion", "labels", "words"),
    [
        ("taylor", None, "needs labels"),
        ("taylor", np.array([0, 1, 9]), "wanted whole numbers from 0 to 4"),
        ("taylor", np.array([0.5, 1, 2]), "or values of the output"),
        ("l1", None, "measures nothing"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    criterion: str, labels: np.ndarray | None, words: str
) -> None:
    network = normed()
    inputs = Inputs(drawn(network, 3).x, labels)
    with pytest.raises(DiscosimError, match=words) as caught:
        measure(criterion, module_of(network), network, 2, place(network, 2), inputs)
    assert "\n" not in str(caught.value)


def test_a_criterion_without_its_inputs_is_refused_and_an_unknown_one_too() -> None:
    network = normed()
    with pytest.raises(DiscosimError, match="gauss-newton needs inputs"):
        select(network, 2, 0.5, None, "gauss-newton")
    with pytest.raises(UnknownNameError, match="gauss-newton"):
        select(network, 2, 0.5, None, "gausnewton")
