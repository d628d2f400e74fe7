"""Selection: optimal for its criterion, in its limits, and a second way to each number."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.masks.mask import Mask
from discosim.masks.measure import figures, kept_pairs, needed_pairs, retained_share
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import PER, pruned_count, select
from discosim.masks.sent import sent_features
from discosim.masks.sub_rows import masked_layers, prunable, sub_row_norms, weight_name
from discosim.masks.weights import random_weights
from discosim.networks import build
from tests.strategies import networks

NODES = st.integers(1, 4)
S_COMM = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.8, 0.9, 1.0])


def _off_diagonal(network: Network, mask: Mask) -> dict[str, np.ndarray]:
    layers = {layer.name: layer for layer in masked_layers(network)}
    return {
        name: prunable(layers[name], each.in_owner, each.out_owner, mask.nodes)
        for name, each in mask.layers.items()
    }


def _norms(network: Network, mask: Mask, weights: dict, order: int = 1) -> dict[str, np.ndarray]:
    """Each sub-row's norm, weight by weight."""
    found = {}
    for layer in masked_layers(network):
        weight = weights[weight_name(layer)].astype(float)
        owner, inputs = mask.layers[layer.name].out_owner, weight.shape[1]
        norms = np.zeros((mask.nodes, layer.in_features))
        for output in range(layer.out_features):
            group = output * layer.groups // layer.out_features
            for feature in range(inputs):
                size = (np.abs(weight[output, feature]) ** order).sum()
                norms[owner[output], group * inputs + feature] += size
        found[layer.name] = norms ** (1 / order)
    return found


# The criterion


@given(networks(), NODES, st.sampled_from([1, 2]), st.integers(0, 9))
def test_norms_are_those_added_weight_by_weight(
    network: Network, nodes: int, order: int, seed: int
) -> None:
    weights = random_weights(network, seed)
    mask = select(network, nodes, 0.5, weights)
    slow = _norms(network, mask, weights, order)
    for layer in masked_layers(network):
        owner = mask.layers[layer.name].out_owner
        fast = sub_row_norms(layer, weights[weight_name(layer)], owner, nodes, order)
        np.testing.assert_allclose(fast, slow[layer.name], rtol=1e-6)


@given(networks(), NODES, S_COMM, st.sampled_from(PER), st.sampled_from(["l1", "l2"]))
def test_no_swap_of_a_kept_and_a_pruned_sub_row_keeps_more(
    network: Network, nodes: int, s_comm: float, per: str, criterion: str
) -> None:
    weights = random_weights(network, 1)
    mask = select(network, nodes, s_comm, weights, criterion, per)
    norms = _norms(network, mask, weights, 1 if criterion == "l1" else 2)
    off = _off_diagonal(network, mask)
    competitions: dict[object, list[tuple[float, bool]]] = {}
    for name, each in mask.layers.items():
        scale = norms[name][off[name]].mean() if off[name].any() else 1.0
        for reader, feature in np.argwhere(off[name]):
            sender = int(each.in_owner[feature])
            key = {"layer": name, "pair": (name, sender, int(reader)), "network": ""}[per]
            norm = norms[name][reader, feature] / (scale if per == "network" else 1.0)
            competitions.setdefault(key, []).append((norm, bool(each.kept[reader, feature])))
    for rivals in competitions.values():
        kept = [norm for norm, stays in rivals if stays]
        pruned = [norm for norm, stays in rivals if not stays]
        assert len(pruned) == pruned_count(len(rivals), s_comm)
        assert not kept or not pruned or min(kept) >= max(pruned) * (1 - 1e-6)


@given(
    arrays.arrays(np.float32, (4, 4, 1, 1), elements=st.floats(-1, 1, width=32)),
    st.integers(2, 4),
    st.sampled_from([0.25, 0.5, 0.75]),
)
def test_no_choice_of_as_many_sub_rows_keeps_more(
    values: np.ndarray, nodes: int, s_comm: float
) -> None:
    net = Builder("two", (1, 2, 2))
    net.conv(net.conv(INPUT, 4, 1, "first"), 4, 1, "second")
    network = net.build()
    weights = random_weights(network) | {"second.weight": values}
    mask = select(network, nodes, s_comm, weights)
    off = _off_diagonal(network, mask)["second"]
    norms = sub_row_norms(network.layers[1], values, mask.layers["second"].out_owner, nodes)[off]
    count = int(mask.layers["second"].kept[off].sum())
    best = max(sum(chosen) for chosen in combinations(norms, count))
    assert norms[mask.layers["second"].kept[off]].sum() == pytest.approx(best, abs=1e-6)


def test_norms_are_compared_with_their_layers_mean_in_one_ranking() -> None:
    network = build("resnet18/8")
    weights = random_weights(network, 3)
    larger = {name: values * 2.0**i for i, (name, values) in enumerate(weights.items())}
    one, other = (select(network, 2, 0.7, w, per="network") for w in (weights, larger))
    for name, each in one.layers.items():
        np.testing.assert_array_equal(each.kept, other.layers[name].kept)
    shares = {figure.s_comm for figure in figures(network, one, weights)}
    assert len(shares) > 5


@given(networks(), st.integers(2, 4), st.integers(0, 5))
def test_only_owners_matter_not_the_order_of_features(
    network: Network, nodes: int, seed: int
) -> None:
    """Renaming the nodes renames the rows of the mask."""
    weights = random_weights(network, seed)
    mask = select(network, nodes, 0.6, weights)
    names = np.random.default_rng(seed).permutation(nodes)
    owners = {t: None if held is None else names[held] for t, held in mask.owners.items()}
    renamed = select(network, nodes, 0.6, weights, owners=owners)
    for name, each in mask.layers.items():
        np.testing.assert_array_equal(renamed.layers[name].kept[names], each.kept)


# The limits


@given(networks(), NODES, st.sampled_from(PER))
def test_at_zero_all_that_dense_sends_is_kept_and_at_one_nothing(
    network: Network, nodes: int, per: str
) -> None:
    weights = random_weights(network)
    everything, nothing = (select(network, nodes, s, weights, per=per) for s in (0.0, 1.0))
    separate = select(network, nodes, 0.3, None, "branches", per)
    for layer in masked_layers(network):
        full, empty = everything.layers[layer.name], nothing.layers[layer.name]
        np.testing.assert_array_equal(kept_pairs(full), needed_pairs(layer, full))
        assert not kept_pairs(empty).any()
        np.testing.assert_array_equal(empty.kept, separate.layers[layer.name].kept)
        own = True if full.in_owner is None else full.in_owner == np.arange(nodes)[:, None]
        assert (empty.kept == own).all()
    assert retained_share(figures(network, everything, weights)) == pytest.approx(1)


@given(networks(), NODES, st.integers(0, 5))
def test_more_sparsity_keeps_a_part_of_what_less_keeps(
    network: Network, nodes: int, seed: int
) -> None:
    weights = random_weights(network, seed)
    looser, tighter = (select(network, nodes, s, weights) for s in (0.4, 0.8))
    for name, each in tighter.layers.items():
        assert not (each.kept & ~looser.layers[name].kept).any()


def test_random_is_drawn_with_its_seed_and_keeps_less() -> None:
    network = build("resnet18/4")
    weights = random_weights(network)
    chosen = [select(network, 2, 0.9, None, "random", seed=seed) for seed in (5, 5, 6)]
    same = [
        all((a.layers[n].kept == b.layers[n].kept).all() for n in a.layers)
        for a, b in ((chosen[0], chosen[1]), (chosen[0], chosen[2]))
    ]
    assert same == [True, False]
    kept = [
        retained_share(figures(network, mask, weights))
        for mask in (chosen[0], select(network, 2, 0.9, weights))
    ]
    assert kept[0] < kept[1]


# What is counted


@given(networks(), NODES, S_COMM)
def test_figures_are_those_of_the_masked_weights(
    network: Network, nodes: int, s_comm: float
) -> None:
    """The mask laid over each weight, entry by entry."""
    weights = random_weights(network, 2)
    mask = select(network, nodes, s_comm, weights)
    for figure in figures(network, mask, weights):
        layer, each = figure.layer, mask.layers[figure.layer.name]
        size = np.abs(weights[weight_name(layer)]).reshape(*_matrix_shape(layer), -1).sum(-1)
        stays = np.zeros(size.shape, dtype=bool)
        for output, feature in np.ndindex(size.shape):
            group = output * layer.groups // layer.out_features
            stays[output, feature] = each.kept[
                each.out_owner[output], group * size.shape[1] + feature
            ]
        assert figure.retained_l1 == pytest.approx(size[stays].sum() / size.sum(), rel=1e-5)
        assert figure.s_comp == pytest.approx(1 - stays.mean())
        macs = [stays[each.out_owner == node].sum() for node in range(nodes)]
        dense = [stays[each.out_owner == node].size for node in range(nodes)]
        worst = int(np.argmax(macs))
        assert figure.s_comp_worst == pytest.approx(1 - macs[worst] / dense[worst])
        needed = needed_pairs(layer, each).sum()
        assert figure.s_comm == pytest.approx(1 - figure.pairs.sum() / needed if needed else 0)


def _matrix_shape(layer: Layer) -> tuple[int, int]:
    return layer.out_features, layer.in_features // layer.groups


@given(networks(), st.integers(2, 4))
def test_a_saliency_curve_is_what_selection_loses(network: Network, nodes: int) -> None:
    weights = random_weights(network, 4)
    levels = [0.0, 0.3, 0.5, 0.9, 1.0]
    curves = saliency_curves(network, nodes, weights, levels)
    for at, s_comm in enumerate(levels):
        for figure in figures(network, select(network, nodes, s_comm, weights), weights):
            lost = curves[figure.layer.name][at] / figure.l1
            assert lost == pytest.approx(1 - figure.retained_l1, abs=1e-12)


@given(networks(), st.integers(2, 4))
def test_a_tensor_that_is_sent_once_is_the_union_of_what_its_readers_keep(
    network: Network, nodes: int
) -> None:
    mask = select(network, nodes, 0.5, random_weights(network))
    each_time = sent_features(network, mask, resend=True)
    once = sent_features(network, mask, resend=False)
    for name in mask.layers:
        assert each_time[name].sum() == kept_pairs(mask.layers[name]).sum()
        source = network.operands(name)[0]
        readers = [n for n in mask.layers if network.operands(n)[0] == source]
        union = np.logical_or.reduce([each_time[reader] for reader in readers])
        np.testing.assert_array_equal(once[name], union if name == readers[0] else union & False)


# Where features lie


def test_heads_are_whole_on_nodes() -> None:
    network = build("deit-ti")
    mask = select(network, 2, 0.5, random_weights(network))
    qkv = mask.layers["block.0.attn.qkv"].out_owner.reshape(3, 3, 64)
    assert (qkv == np.array([0, 0, 1])[:, None]).all()
    assert mask.layers["block.0.attn.proj"].in_owner.tolist() == qkv[2].ravel().tolist()
    with pytest.raises(DiscosimError, match=r"4 nodes, but block\.0\.attn of deit-ti has 3 heads"):
        select(network, 4, 0.5, random_weights(network))


def test_features_behind_a_flatten_live_where_their_channel_does() -> None:
    network = build("alexnet")
    owner = select(network, 3, 0.5, None, "random").layers["fc6"].in_owner
    channels = owner.reshape(256, 36)
    assert (channels == channels[:, :1]).all()
    assert np.bincount(channels[:, 0]).tolist() == [86, 85, 85]


def test_blocks_of_a_concatenation_are_interleaved() -> None:
    """The decoder of DeepLabV3+ reads 48 features and then 256, each split in two."""
    network = build("deeplabv3plus-resnet50")
    owner = select(network, 2, 0.5, None, "random").layers["decoder.fuse.conv"].in_owner
    assert owner.tolist() == np.repeat([0, 1, 0, 1], [24, 24, 128, 128]).tolist()


# Refusals


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"s_comm": 1.5}, "S_comm 1.5; wanted 0"),
        ({"nodes": 0}, "0 nodes"),
        ({"criterion": "l3"}, "unknown criterion 'l3'"),
        ({"per": "row"}, "unknown value of per 'row'"),
        ({"weights": None}, "l1 needs weights"),
        ({"weights": {}}, "no weight conv1.weight; wanted one of shape"),
        ({"s_comm": {"fc": 0.5}, "per": "network"}, "takes one S_comm"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict, words: str) -> None:
    network = build("resnet18/8")
    given = {"nodes": 2, "s_comm": 0.5, "weights": random_weights(network), **wrong}
    with pytest.raises(DiscosimError, match=words):
        select(network, **given)


def test_a_weight_of_another_shape_is_refused_by_name() -> None:
    network = build("resnet18/8")
    weights = random_weights(build("resnet18/4"))
    with pytest.raises(DiscosimError, match=r"weight conv1\.weight has shape"):
        select(network, 2, 0.5, weights)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    network = build("resnet18/8")
    weights = random_weights(network)
    weights["layer1.0.conv2.weight"][0, 0, 0, 0] = value
    with pytest.raises(DiscosimError, match=r"layer1\.0\.conv2\.weight has values that are NaN"):
        select(network, 2, 0.5, weights)
