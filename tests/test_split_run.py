"""The split network: its output, what goes over its wires, what its nodes hold."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn import functional

from discosim.errors import DiscosimError
from discosim.explore.run import kinds, predicted, run_split
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.masks.plan import masked_plan
from discosim.masks.select import select
from discosim.networks import build
from discosim.partition.placement import place
from discosim.partition.plan import CONVENTIONS
from discosim.runtime.executor import Executor
from discosim.runtime.live_bytes import LiveBytes
from discosim.runtime.masked_program import masked_program
from discosim.runtime.module import NetworkModule, dense_mask, loaded
from discosim.runtime.pieces import pieces
from discosim.runtime.run import SplitNetwork, states_of
from discosim.runtime.split_checkpoint import node_state, write_split
from discosim.runtime.state import (
    checkpoint_state,
    largest_difference,
    masked_outputs,
    random_state,
)
from tests.configurations import on, swept
from tests.split import State, ThreadRun, ThreadWire, on_one_thread, run_on_threads
from tests.strategies import networks
from tests.test_link import started
from tests.test_splits_run import grouped

pytestmark = pytest.mark.extras

SPLIT = [  # concatenation, groups, squeeze-excite, attention, dilation, several outputs
    ("resnet18/8", (64,), 2, 0.8),
    ("resnet50/8", (64,), 3, 0.9),
    ("squeezenet1-1", (64,), 4, 0.9),
    ("esrgan/16", (8,), 3, 0.8),
    ("mobilenetv2/2", (32,), 3, 0.9),
    ("efficientnet-b0/2", (32,), 5, 0.9),
    ("deit-s", (32,), 4, 0.8),
    ("ssd300-vgg16/16", (300,), 3, 0.9),
    ("deeplabv3plus-resnet50/8", (33,), 2, 0.95),
]


one_thread = pytest.fixture(autouse=True)(on_one_thread)


def masked(network: Network, nodes: int, s_comm: float, **how: object) -> tuple[Mask, State]:
    state = random_state(network, 1)
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    return select(network, nodes, s_comm, weights, **how), state


def image(network: Network) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(network.input_shape, dtype=np.float32)


def check_counts(network: Network, mask: Mask, run: ThreadRun) -> None:
    """Bytes and messages of each row and node, and weights of each node, are the plan's."""
    table = tabulate(network)
    plan = masked_plan(table, mask, CONVENTIONS["runtime"])
    sent_bytes, messages = np.zeros((2, mask.nodes, len(table)))
    of_row = kinds(table)
    for message in run.messages:
        row = table.name.index(message.layer) if message.layer != "output" else len(table) - 1
        assert message.kind == of_row[row]
        sent_bytes[message.sender, row] += message.nbytes
        messages[message.sender, row] += 1
    assert np.array_equal(sent_bytes, np.broadcast_to(4 * plan.exchange.sent, sent_bytes.shape))
    assert np.array_equal(messages, np.broadcast_to(plan.exchange.send_peers, messages.shape))
    frame = predicted(network, mask).groupby("node").first()
    assert list(frame["weight_bytes"]) == [
        sum(tensor.nbytes for tensor in state.values()) for state in run.states
    ]
    assert run.left_over == 0


@pytest.mark.parametrize(("name", "shape", "nodes", "s_comm"), SPLIT)
def test_a_split_network_gives_the_masked_networks_output(
    name: str, shape: tuple[int, ...], nodes: int, s_comm: float
) -> None:
    network = build(name, shape)
    mask, state = masked(network, nodes, s_comm)
    x = image(network)
    run = run_on_threads(network, mask, state, x)
    assert largest_difference(run.outputs, masked_outputs(network, mask, state, x)) < 1e-5
    check_counts(network, mask, run)


@settings(max_examples=20)
@given(networks(), st.integers(1, 5), st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.booleans())
def test_any_network_on_any_number_of_nodes(
    network: Network, nodes: int, s_comm: float, at_random: bool
) -> None:
    mask, state = masked(network, nodes, s_comm, criterion="random" if at_random else "l1")
    x = image(network)
    run = run_on_threads(network, mask, state, x)
    wanted = masked_outputs(network, mask, state, x)
    scale = max(1.0, *(float(np.abs(output).max()) for output in wanted))
    for got, right in zip(run.outputs, wanted, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-5 * scale, rtol=0)
    check_counts(network, mask, run)


def test_operands_that_lie_elsewhere_are_moved_and_counted() -> None:
    net = Builder("crossed", (3, 4, 4))
    left, right = net.conv(INPUT, 5, 3, "left"), net.conv(INPUT, 3, 3, "right")
    x = net.concat([left, right], "joined")
    y = net.l2_norm(net.add(net.conv(INPUT, 8, 3, "other"), x, "sum"), "norm")
    net.linear(net.flatten(y, "flat"), 7, "fc")
    network = net.build()
    mask, state = masked(network, 3, 0.5)
    run = run_on_threads(network, mask, state, image(network))
    assert {"alignment", "statistics", "features", "gather"} <= {m.kind for m in run.messages}
    assert (
        largest_difference(run.outputs, masked_outputs(network, mask, state, image(network))) < 1e-5
    )
    check_counts(network, mask, run)


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_group_norms_share_the_groups_that_lie_on_several_nodes(nodes: int) -> None:
    """Two scalars a group: 8 bytes from each node with some of it to each other one."""
    network = grouped()
    mask, state = masked(network, nodes, 0.5)
    run = run_on_threads(network, mask, state, image(network))
    wanted = masked_outputs(network, mask, state, image(network))
    assert largest_difference(run.outputs, wanted) < 1e-5
    check_counts(network, mask, run)
    shared = [m for m in run.messages if m.layer == "five"]
    owners = mask.owners["first"]
    held = [set((np.flatnonzero(owners == node) // 3).tolist()) for node in range(nodes)]
    assert {(m.sender, m.receiver): m.nbytes for m in shared} == {
        (one, other): 8 * len(held[one] & held[other])
        for one in range(nodes)
        for other in range(nodes)
        if one != other and held[one] & held[other]
    }


def test_a_group_norm_is_torch_s() -> None:
    network = grouped()
    module = loaded(network, random_state(network))
    x = torch.randn(2, 15, 11, 7)
    own = module.get_submodule("five")
    wanted = functional.group_norm(x, 5, own.weight, own.bias)
    torch.testing.assert_close(own(x), wanted, atol=1e-5, rtol=1e-5)
    single = module.get_submodule("each")(x[:, :8])
    torch.testing.assert_close(single, functional.group_norm(x[:, :8], 8), atol=1e-5, rtol=1e-5)


def test_a_group_norm_with_other_parameters_is_not_run() -> None:
    """A scale of each group, as ONNX had it before opset 21."""
    net = Builder("old", (4, 3, 3))
    net.append("group_norm", "norm", [INPUT], (4, 3, 3), groups=2, learned=4)
    with pytest.raises(DiscosimError, match=r"does not know norm \(group_norm\)"):
        NetworkModule(net.build())


def test_what_is_received_is_used() -> None:
    network = build("resnet18/8", (32,))
    mask, state = masked(network, 2, 0.8)
    x = image(network)
    spoilt = run_on_threads(network, mask, state, x, change=torch.zeros_like)
    assert largest_difference(spoilt.outputs, masked_outputs(network, mask, state, x)) > 1e-2


def test_at_zero_nothing_changes() -> None:
    network = build("mobilenetv2/4", (32,))
    mask, state = masked(network, 3, 0.0)
    module = NetworkModule(network).eval()
    module.load_state_dict(dict(state))
    with torch.inference_mode():
        dense = module(torch.from_numpy(image(network))[None])[0].numpy()
    run = run_on_threads(network, mask, state, image(network))
    assert largest_difference(run.outputs, (dense,)) < 1e-5
    masks = [dense_mask(mask, network, name) for name in mask.layers]
    assert all(kept.all() for kept in masks)


@pytest.mark.parametrize(("name", "apart"), [("resnet18/8", True), ("deit-ti", False)])
def test_at_one_batch_norm_branches_are_independent(name: str, apart: bool) -> None:
    """Node 1's own parameters have no effect on node 0, but through the statistics of norms."""
    network = build(name, (32,))
    mask, state = masked(network, 2, 1.0)
    x = image(network)
    run = run_on_threads(network, mask, state, x)
    assert not any(message.kind == "features" for message in run.messages)
    perturbed = [dict(run.states[0]), {n: 1.5 * t for n, t in run.states[1].items()}]
    other = run_on_threads(network, mask, state, x, states=perturbed)
    [owners] = [mask.owners[layer.name] for layer in network.layers[-1:]]
    same = run.outputs[0] == other.outputs[0]
    assert bool(same[owners == 0].all()) == apart
    assert not same[owners == 1].any()


def test_nodes_hold_their_weights_and_no_others(tmp_path) -> None:
    """Put back where they belong, the nodes' weights are the masked weight, each entry once."""
    network = build("mobilenetv2/4", (32,))
    mask, state = masked(network, 3, 0.9)
    paths = write_split(network, states_of(network, mask, state), tmp_path)
    parts = [load_file(path) for path in paths]
    for layer in network.layers:
        if layer.name not in mask.layers:
            continue
        whole = torch.zeros_like(state[f"{layer.name}.weight"])
        width = layer.in_features // layer.groups
        for node, part in enumerate(parts):
            rest = part.get(f"{layer.name}.weight")
            for piece in pieces(layer, mask.layers[layer.name], node):
                block = part.get(f"{layer.name}.weight.{piece.group}")
                if block is None:
                    block, rest = rest[: len(piece.outputs)], rest[len(piece.outputs) :]
                columns = torch.from_numpy(piece.inputs - piece.group * width)
                whole[torch.from_numpy(piece.outputs)[:, None], columns] = block
        kept = torch.from_numpy(dense_mask(mask, network, layer.name))
        expected = state[f"{layer.name}.weight"] * kept.reshape(
            *kept.shape, *(1,) * len(layer.kernel)
        )
        assert torch.equal(whole, expected)


def test_live_bytes_are_those_of_tensors_that_somebody_holds() -> None:
    watched, outside = LiveBytes(), torch.ones(1000)
    with watched:
        a = torch.ones(1000)
        b = a + 1
        view = a[10:]
        assert watched.now == 8000
        del a
        assert watched.now == 8000
        del view
        assert watched.now == 4000
        b.add_(outside[:1])
        outside.reshape(10, 100)
    assert (watched.now, watched.peak) == (4000, 8000)


@pytest.mark.parametrize("name", ["resnet18/8", "deit-ti", "efficientnet-b0/2", "esrgan/16"])
def test_one_node_holds_at_most_what_is_predicted(name: str) -> None:
    network = build(name, (32,))
    mask, state = masked(network, 1, 0.0)
    node = Executor(masked_program(network, mask, 0), node_state(network, mask, state, 0))
    given, watched = [torch.from_numpy(image(network))[None].clone()], LiveBytes()
    watched.hold(given[0])
    with watched:
        node.run(given.pop(), ThreadWire({}, 0, abs))
    assert watched.peak == pytest.approx(predicted(network, mask)["peak_bytes"][0], rel=0.01)


# Processes


def test_processes_do_what_threads_do(tmp_path) -> None:
    network = build("efficientnet-b0/4", (32,))
    mask, state = masked(network, 3, 0.9)
    frame, apart = run_split(network, mask, state)
    assert apart < 1e-5
    for name in ("messages", "sent_bytes", "weight_bytes"):
        assert list(frame[name]) == list(frame[f"predicted_{name}"])
    assert set(frame.query("messages > 0")["kind"]) == {"features", "squeeze-excite", "gather"}
    # the same as `sweep --mask --conventions runtime` says of the busiest node
    study = on("efficientnet-b0/4", (32,), conventions="runtime", mask=mask)
    cost = swept(study, nodes=[3]).iloc[0]
    with SplitNetwork(network, mask, state) as split:
        messages = split.run(image(network)).messages
        again = split.run(image(network)).messages
        with pytest.raises(DiscosimError, match="wants 3x32x32"):
            split.run(np.zeros((3, 31, 32), dtype=np.float32))
    assert messages == again
    sent = np.zeros((2, 3))
    for message in messages:
        sent[0, message.sender] += message.nbytes
        sent[1, message.receiver] += message.nbytes
    assert cost["bytes_per_node"] == sent.max()
    assert cost["messages"] == np.bincount([m.sender for m in messages]).max()


@pytest.mark.parametrize("ending", ["killed", "hanging"])
def test_a_lost_node_ends_the_run(ending: str) -> None:
    network = build("resnet18/8", (32,))
    mask, state = masked(network, 3, 0.5)
    with SplitNetwork(network, mask, state, timeout_s=0.5 if ending == "hanging" else 60) as split:
        pids = split.pids
        os.kill(pids[1], signal.SIGKILL if ending == "killed" else signal.SIGSTOP)
        with pytest.raises(DiscosimError, match="the run broke off") as lost:
            split.run(image(network))
        with pytest.raises(DiscosimError, match="does not run"):
            split.run(image(network))
    words = {"killed": f"node 1 (process {pids[1]}) was ended by SIGKILL", "hanging": "no message"}
    assert words[ending] in str(lost.value)
    assert "node 0: " in str(lost.value)
    assert "\n" not in str(lost.value)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


JOINED = """
import sys
from discosim.runtime import nodes
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.worker import Seat

if __name__ == "__main__":
    nodes.PRELOADED.clear()  # nothing is computed here, and torch takes seconds to import
    print("begun", flush=True)
    with NodeProcesses([Seat(rank, 3, 60.0) for rank in range(3)]):
        print("joined", flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("ending", "moment"),
    [(signal.SIGINT, "begun"), (signal.SIGINT, "joined"), (signal.SIGKILL, "joined")],
)
def test_nothing_is_left_of_a_program_that_is_ended(
    ending: signal.Signals, moment: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(JOINED, encoding="utf-8")
    with started(str(tmp_path / "program.py")) as (program, _):
        assert program.stdout is not None
        assert program.stderr is not None
        while program.stdout.readline() != f"{moment}\n":
            assert program.poll() is None
        program.send_signal(ending)
        said = program.stderr.read()  # until all have ended
        assert program.wait() == -ending
    assert said.count("Traceback") == (ending == signal.SIGINT)  # the program's own alone


# Bad input


def test_a_machine_is_not_flooded_with_processes() -> None:
    mask, state = masked(build("resnet18/8", (32,)), 33, 0.5)
    with pytest.raises(DiscosimError, match=r"33 nodes; .* at most 32"):
        SplitNetwork(build("resnet18/8", (32,)), mask, state)


def test_a_head_is_never_divided() -> None:
    network = build("deit-ti", (32,))
    owners = place(network, 2, {"block.0.attn.qkv": np.arange(576) % 2})
    mask, state = masked(network, 2, 0.5, owners=owners)
    with pytest.raises(DiscosimError, match="lies on several nodes"):
        node_state(network, mask, state, 0)


def test_parameters_of_another_network_are_named(tmp_path) -> None:
    network = build("resnet18/8", (32,))
    state = random_state(build("resnet18/4", (32,)))
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(DiscosimError, match=r"conv1\.weight is 16x3x7x7, wanted 8x3x7x7"):
        checkpoint_state(str(tmp_path / "other.pt"), network)
    state = random_state(network)
    torch.save(state, tmp_path / "same.pt")
    assert all(
        torch.equal(tensor, state[name])
        for name, tensor in checkpoint_state(str(tmp_path / "same.pt"), network).items()
    )
    del state["bn1.running_mean"]
    torch.save(state, tmp_path / "less.pt")
    with pytest.raises(DiscosimError, match=r"missing: bn1.running_mean 8"):
        checkpoint_state(str(tmp_path / "less.pt"), network)
    mask = masked(network, 2, 0.5)[0]
    with pytest.raises(DiscosimError, match=r"no bn1.running_mean"):
        node_state(network, mask, state, 0)
    state["bn1.running_mean"] = torch.full((8,), float("nan"))
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(DiscosimError, match=r"bn1\.running_mean has values that are NaN"):
        checkpoint_state(str(tmp_path / "nan.pt"), network)


def test_a_graph_that_only_counts_is_not_run() -> None:
    net = Builder("imported", (3, 4, 4))
    x = net.append("pad", "pad", [INPUT], (3, 6, 6))
    net.append("conv", "conv", [x], (5, 6, 6), kernel=(3, 3), stride=(1, 1))
    with pytest.raises(DiscosimError, match=r"does not know pad \(pad\), conv \(conv\)"):
        NetworkModule(net.build())


def test_an_unknown_activation_is_named() -> None:
    net = Builder("odd", (3, 4, 4))
    net.activation(net.conv(INPUT, 4, 3, "conv"), "act", "rely")
    with pytest.raises(DiscosimError, match=r"activation of act 'rely'; did you mean relu"):
        NetworkModule(net.build())(torch.zeros(1, 3, 4, 4))
