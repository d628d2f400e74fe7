"""Networks split in every way compute what they compute on one node, from what the plan sends."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings

from discosim.configuration import Configuration
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable
from discosim.hardware import load_profile
from discosim.partition.collectives import Collective
from discosim.partition.kinds import Rule
from discosim.partition.lay import Laid, lay
from discosim.partition.plan import CONVENTIONS
from discosim.strategies.strategy import STRATEGIES
from tests.laid import random_module, run, whole
from tests.strategies import tables
from tests.test_splits import ALGORITHMS, NODES, RULES, blocks

pytestmark = pytest.mark.extras

RUNTIME = CONVENTIONS["runtime"]
EXACT = ["rows", "fused-rows", "tokens-kv", "paired"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same_as_on_one_node(network: Network, laid: Laid) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((1, *network.input_shape), generator=generator, dtype=torch.float64)
    module = random_module(network)
    wanted, nodes = whole(module, x), run(laid, module, x)
    for read in laid.gathering:
        torch.testing.assert_close(nodes[0][read.tensor], wanted[read.tensor])


def laid_by(name: str, network: Network, nodes: int, collective: Collective) -> Laid:
    given = Configuration(
        network,
        load_profile("splitnets-hmd").hardware(),
        strategy=STRATEGIES[name],
        nodes=nodes,
        conventions=RUNTIME,
        collective=collective,
    )
    laid = given.plan().laid
    assert laid is not None
    return laid


@settings(max_examples=25, deadline=None)
@given(tables(), RULES, NODES, ALGORITHMS)
def test_any_splits_of_a_random_network(
    table: LayerTable, make: Callable[[Network], Rule], nodes: int, algorithm: str
) -> None:
    rule = make(table.network)
    laid = lay(table, rule, nodes, RUNTIME, collective=Collective(algorithm))
    same_as_on_one_node(table.network, laid)


def upsampling() -> Network:
    """Down and up again, with the early rows beside the late ones."""
    net = Builder("u", (3, 22, 10))
    x = net.activation(net.batch_norm(net.conv(INPUT, 4, 3, "down1"), "norm"), "relu")
    y = net.conv(net.pool(x, 2, "pool", stride=2), 6, 3, "down2", stride=2)
    y = net.upsample(net.conv(y, 6, 3, "low", dilation=2), (11, 5), "up1")
    y = net.upsample(net.conv(y, 4, 3, "middle"), (22, 10), "up2", "nearest")
    net.conv(net.concat([x, y], "concat"), 2, 3, "last", bias=True)
    return net.build()


def mobile() -> Network:
    """An inverted bottleneck with squeeze and excitation, then a classifier."""
    net = Builder("mobile", (3, 15, 9))
    x = net.conv(INPUT, 4, 3, "stem", stride=2)
    y = net.activation(net.conv(x, 12, 1, "expand"), "relu1")
    y = net.conv(y, 12, 5, "depthwise", groups=12)
    s = net.activation(net.conv(net.global_pool(y, "squeeze"), 3, 1, "se1", bias=True), "relu2")
    y = net.multiply(y, net.conv(s, 12, 1, "se2", bias=True), "scale")
    x = net.add(net.conv(y, 4, 1, "project"), x, "add")
    x = net.shuffle(net.conv(x, 8, 3, "grouped", groups=2), 2, "shuffle")
    net.linear(net.flatten(net.global_pool(x, "pool"), "flatten"), 10, "fc")
    return net.build()


def tokens() -> Network:
    """Patches, a class token, two blocks and a classifier on 13 tokens."""
    net = Builder("tokens", (3, 16, 12))
    x = net.conv(INPUT, 8, 4, "patches", stride=4, padding=0, bias=True)
    x = net.embed(x, 13, 8 + 13 * 8, "embed")
    for index in range(2):
        y = net.linear(net.layer_norm(x, f"{index}.norm1"), 24, f"{index}.qkv", heads=4)
        x = net.add(net.linear(net.attention(y, 4, f"{index}.attn"), 8, f"{index}.proj"), x,
                    f"{index}.add1")  # fmt: skip
        y = net.activation(net.linear(net.layer_norm(x, f"{index}.norm2"), 16, f"{index}.fc1"),
                           f"{index}.act", "gelu")  # fmt: skip
        x = net.add(net.linear(y, 8, f"{index}.fc2"), x, f"{index}.add2")
    net.linear(net.reshape(net.layer_norm(x, "norm"), (), "class"), 5, "head")
    return net.build()


def grouped() -> Network:
    """Group norms of groups that lie on several nodes, on one, and of single features."""
    net = Builder("grouped", (3, 11, 7))
    x = net.group_norm(net.conv(INPUT, 15, 3, "first"), 5, "five")
    x = net.activation(net.conv(x, 8, 3, "second", stride=2), "relu")
    x = net.group_norm(net.add(x, net.group_norm(x, 8, "each", learned=False), "add"), 1, "one")
    x = net.group_norm(net.global_pool(x, "pool"), 2, "flat")
    net.linear(net.flatten(x, "flatten"), 5, "fc")
    return net.build()


@pytest.mark.parametrize("make", [upsampling, mobile, tokens, grouped, lambda: blocks(1, 7, 16)])
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_a_strategy_computes_the_same(make: Callable[[], Network], name: str, nodes: int) -> None:
    network = make()
    for collective in Collective:
        same_as_on_one_node(network, laid_by(name, network, nodes, collective))
