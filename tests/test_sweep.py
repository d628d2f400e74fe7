"""The public sweep: one row per combination, and every registered network."""

from dataclasses import replace

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.graph.counts import counts
from discosim.graph.table import tabulate
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.partition.plan import conventions
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import by_layer, on, swept
from tests.subjects import KINDS, each_family

HMD = load_profile("splitnets-hmd").hardware()


def test_defaults_are_the_main_question() -> None:
    frame = swept("resnet50")
    assert len(frame) == 39
    assert set(frame["strategy"]) == {"disco"}
    assert frame["nodes"].unique().tolist() == [2, 4, 8]
    assert frame["s_comm"][:13].tolist() == [*(i / 10 for i in range(10)), 0.95, 0.99, 1.0]
    assert frame["fits"].isna().all()


def test_one_row_per_combination() -> None:
    frame = swept(
        "resnet18",
        strategies=["single", "dense", "disco"],
        nodes=[2, 3],
        s_comm=[0.0, 0.5],
        overlaps=["none", "ideal"],
    )
    keys = ["strategy", "nodes", "s_comm", "overlap"]
    assert len(frame) == 2 * (1 + 2 + 4)
    assert not frame.duplicated(keys).any()
    assert frame.loc[frame["strategy"] != "disco", "s_comm"].isna().all()


def test_arrays_of_hardware_are_axes() -> None:
    node = replace(
        HMD, bandwidth_Bps=np.array([1e7, 1e8]), compute_macps=np.array([1e10, 1e11, 1e12])
    )
    frame = swept("resnet18", node, nodes=[2, 3], s_comm=[0.1, 0.9])
    assert len(frame) == 2 * 2 * 3 * 2
    for _, row in frame.sample(6, random_state=1).iterrows():
        one = replace(HMD, bandwidth_Bps=row["bandwidth_Bps"], compute_macps=row["compute_macps"])
        alone = swept("resnet18", one, nodes=[row["nodes"]], s_comm=[row["s_comm"]]).iloc[0]
        numbers = [c for c in frame.columns if isinstance(row[c], float)]
        assert row[numbers].tolist() == pytest.approx(
            alone[numbers].tolist(), rel=1e-12, nan_ok=True
        )


def test_blocks_do_not_show() -> None:
    """More configurations than a block give the same rows as a few at a time."""
    s_comm = np.linspace(0, 1, 1201)
    frame = swept("resnet18", nodes=[3], s_comm=s_comm)
    some = swept("resnet18", nodes=[3], s_comm=s_comm[::400])
    assert np.allclose(frame["latency_s"][::400], some["latency_s"], rtol=1e-12)


@pytest.mark.parametrize("convention", ["paper", "runtime"])
@pytest.mark.parametrize("model", each_family())
def test_each_family_at_many_numbers_of_nodes(model: str, convention: str) -> None:
    study = on(model, conventions=conventions(convention))
    frame = swept(study, nodes=[1, 2, 3, 4, 7, 8, 16], s_comm=[0.0, 0.5, 1.0])
    times = frame[["latency_s", "interval_s", "node_bytes", "weight_bytes", "comp_s"]].to_numpy()
    assert np.isfinite(times).all()
    assert (times > 0).all()
    assert (frame["avg_s_comm"].between(0, 1)).all()
    assert (frame["avg_s_comp"].between(0, 1)).all()
    halves = frame.pivot_table(index="nodes", columns="s_comm", values="latency_s")
    assert (halves.diff(axis=1).dropna(axis=1) <= 1e-12).all(axis=None)


@pytest.mark.parametrize("model", each_family())
def test_each_family_through_layers_and_every_strategy(model: str) -> None:
    nodes = [1, 2, 3, 4, 7, 8, 16] if model in KINDS else [1, 3, 16]
    stages = min(16, int(tabulate(build(model)).mixes.sum()))
    for name in STRATEGIES if model in KINDS else ("dense", "disco", "pipeline", "rows"):
        counts = [n for n in nodes if name != "pipeline" or n <= stages]
        frame = swept(model, strategies=[name], nodes=counts, s_comm=[0.5])
        assert (frame["latency_s"] > 0).all(), name
        assert len(frame) == (1 if name == "single" else len(counts))
    dense = swept(model, strategies=["dense"], nodes=nodes)
    for count, latency_s in zip(nodes, dense["latency_s"], strict=True):
        frame = by_layer(on(model), HMD, nodes=count)
        assert frame["layer_s"].sum() == pytest.approx(latency_s)


@pytest.mark.parametrize("model", ["resnet50", "deit-s", "efficientnet-b0", "ssd300-resnet50"])
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_layers_add_up_to_the_sweep(model: str, strategy: str) -> None:
    node = load_profile("rpi4-wifi").hardware()
    study = on(model, conventions=conventions("runtime"))
    total = swept(study, node, strategies=[strategy], nodes=[3], s_comm=[0.7]).iloc[0]
    nodes = int(total["nodes"])
    for every in (False, True):
        frame = by_layer(
            study, node, strategy=strategy, nodes=nodes, s_comm=0.7, every_operator=every
        )
        assert frame["layer_s"].sum() == pytest.approx(total["latency_s"])
        assert frame["comm_s"].sum() == pytest.approx(total["comm_s"])
        assert frame["params"].sum() == build(model).params
        assert frame["macs"].sum() == build(model).macs


def test_resnet50_has_the_papers_54_layers() -> None:
    frame = by_layer(on("resnet50"), HMD)
    whole = counts(build("resnet50"))
    assert len(frame) == whole["layers"] == 54  # Fig. 2
    assert frame["in_elems"].sum() == whole["in_elems"] == 10_664_448


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"s_comm": [1.5]}, "S_comm 1.5"),
        ({"s_comm": [float("nan")]}, "S_comm nan"),
        ({"nodes": [0]}, "0 nodes"),
        ({"nodes": [1001]}, "the widest layer of resnet18"),
        ({"nodes": []}, "empty"),
        ({"s_comm": []}, "empty"),
        ({"strategies": ["disko"]}, "did you mean disco"),
        ({"overlaps": ["layer:0"]}, "unknown overlap"),
        ({"nodes": range(1, 513), "s_comm": np.linspace(0, 1, 50_000)}, "too many"),
        ({"strategies": ["pipeline"], "nodes": [30]}, "has 21"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DiscosimError, match=message):
        swept("resnet18", **arguments)
