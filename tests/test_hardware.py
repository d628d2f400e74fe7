"""Profiles: what holds for every shipped one, then how a file and its overrides are read."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError, UnknownNameError
from discosim.hardware import DTYPES, TOPOLOGIES, load_profile, profile, profile_names
from discosim.hardware.schema import GIVEN, dotted_keys

OWN = """
description = "mine"
[link]
bandwidth = "10MB/s"
latency = { value = "1ms", estimate = "a guess" }
topology = "switch"
[compute]
fp32 = { value = "1GMAC/s", source = "my bench" }
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def refused(name: object, overrides: dict[str, str] | None = None) -> str:
    with pytest.raises(DiscosimError) as caught:
        load_profile(str(name), overrides)
    line = str(caught.value)
    assert line.isprintable()
    return line


def faults_of(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    head, _, tail = refused(path).partition(" fault")
    found = tail.partition(": ")[2]
    assert head.startswith(f"profile {path}: ")
    return [head.rpartition(" ")[2], found]


# What holds for every profile that is shipped


def test_there_are_enough_profiles_and_they_come_sorted() -> None:
    assert len(profile_names()) >= 16
    assert profile_names() == sorted(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_figure_says_where_it_comes_from(name: str) -> None:
    rows = load_profile(name).figures()
    assert {"link.bandwidth", "link.latency", "link.topology"} <= {row.path for row in rows}
    for row in rows:
        assert row.kind in ("source", "estimate"), row
        assert len(row.reference) > 3, row


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_is_physically_plausible(name: str) -> None:
    profile = load_profile(name)
    assert profile.dtypes
    rates = {}
    for dtype in profile.dtypes:
        hw = profile.hardware(dtype)
        rates[dtype] = hw.compute_macps
        assert hw.name == name
        assert hw.topology in TOPOLOGIES
        assert hw.duplex == ("half" if hw.topology in ("shared", "broadcast") else "full")
        assert 1e3 < hw.bandwidth_Bps < 1e12
        assert 0 <= hw.link_latency_s < 0.1
        assert 1e6 < hw.compute_macps < 1e16
        # A link is no faster than the memory that it is fed from.
        assert hw.memory_Bps is None or hw.bandwidth_Bps < hw.memory_Bps
        assert hw.memory_bytes is None or 1e5 < hw.memory_bytes < 1e12
        assert all(0 < share <= 1 for share in hw.efficiency.values())
    # Narrower arithmetic is never slower.
    ordered = [rates[dtype] for dtype in ("fp32", "fp16", "int8") if dtype in rates]
    assert ordered == sorted(ordered)


def test_the_papers_two_nodes() -> None:
    # DISCO (WACV 2024): Fig. 2 caption, B = 37.5 MB/s and C = 125 GOP/s; Sec. V, 3.75 GOP/s.
    for name, macps in [("splitnets-hmd", 125e9), ("disco-fig4", 3.75e9)]:
        hw = load_profile(name).hardware()
        assert (hw.bandwidth_Bps, hw.compute_macps) == (37.5e6, macps)
        assert (hw.link_latency_s, hw.topology, hw.duplex) == (0.0, "full-mesh", "full")
        assert hw.memory_bytes is None
        assert hw.feature_elem_bytes == hw.weight_elem_bytes == 4


# Hardware


def test_hardware_is_frozen_and_varies_by_replace() -> None:
    hw = load_profile("disco-fig4").hardware()
    with pytest.raises(dataclasses.FrozenInstanceError):
        hw.bandwidth_Bps = 1.0  # type: ignore[misc]
    sweep = dataclasses.replace(hw, bandwidth_Bps=np.array([1e6, 2e6]))
    assert np.shape(sweep.bandwidth_Bps) == (2,)
    assert pickle.loads(pickle.dumps(hw)) == hw


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_data_type_sets_the_element_sizes(own: Path, dtype: str) -> None:
    profile = load_profile(str(own), {f"compute.{dtype}": "2GMAC/s"})
    hw = profile.hardware(dtype)
    assert (hw.dtype, hw.compute_macps) == (dtype, 2e9)
    assert hw.feature_elem_bytes == hw.weight_elem_bytes == DTYPES[dtype]
    assert profile.hardware("fp32", weight_dtype=dtype).weight_elem_bytes == DTYPES[dtype]


def test_a_data_type_without_a_rate_names_those_that_have_one(own: Path) -> None:
    with pytest.raises(DiscosimError, match=r"no fp32 .* only int8; .*--dtype int8 .*--compute"):
        load_profile("edgetpu-usb").hardware()
    supplied = load_profile("edgetpu-usb", {"compute.fp32": "1GMAC/s"})
    assert supplied.hardware().compute_macps == 1e9
    for given_names in [("fp33", None), ("fp32", "int9")]:
        with pytest.raises(UnknownNameError, match="did you mean"):
            load_profile(str(own)).hardware(*given_names)


# Overrides


def test_an_override_wins_and_is_its_own_source(own: Path) -> None:
    overrides = {
        "link.bandwidth": "300Mbit/s",
        "memory.capacity": "512KiB",
        "memory.bandwidth": "5GB/s",
        "efficiency.conv": "0.5",
        "cost.price": "$35",
        "cost.idle_power": "300mW",
        "cost.energy_per_mac": "1pJ",
        "cost.energy_per_byte": "20pJ",
        "description": "other",
    }
    profile = load_profile(str(own), overrides)
    hw = profile.hardware()
    assert (hw.bandwidth_Bps, hw.memory_bytes, hw.memory_Bps) == (37.5e6, 524288, 5e9)
    assert (hw.price_usd, hw.idle_power_W, hw.efficiency) == (35, 0.3, {"conv": 0.5})
    assert (hw.energy_per_mac_J, hw.energy_per_byte_J) == (1e-12, 2e-11)
    assert profile.description == "other"
    rows = {row.path: row[1:] for row in profile.figures()}
    for path in overrides.keys() - {"description"}:
        assert rows[path][1:] == ("source", "command line")
    assert rows["link.bandwidth"][0] == "300Mbit/s"
    assert rows["compute.fp32"] == ("1GMAC/s", "source", "my bench")


@pytest.mark.parametrize("path", dotted_keys())
def test_every_setting_can_be_overridden_or_says_what_is_wrong(path: str) -> None:
    assert f"1 fault: {path}" in refused("disco-fig4", {path: ""})


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    for path, near in [("link.bandwith", "link.bandwidth"), ("bandwidth", "link.bandwidth")]:
        with pytest.raises(UnknownNameError, match=near):
            load_profile("disco-fig4", {path: "1MB/s"})
    for path in ["link", "link.bandwidth.value", "", ".", "compute.fp33"]:
        assert "unknown hardware setting" in refused("disco-fig4", {path: "1MB/s"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("name", ["splitnets-hmd", "esp32s3-wifi"])
def test_duplex_follows_an_overridden_topology(name: str, topology: str) -> None:
    profile = load_profile(name, {"link.topology": topology})
    half = topology in ("shared", "broadcast")
    assert profile.hardware().duplex == ("half" if half else "full")
    rows = {row.path: row for row in profile.figures()}
    assert rows["link.topology"].reference == "command line"


def test_full_duplex_on_one_medium_is_a_fault(own: Path) -> None:
    text = OWN.replace('"switch"', '"shared"\nduplex = "full"')
    assert "link.duplex: a shared medium is half duplex" in faults_of(own, text)[1]
    assert "link.duplex" in refused("esp32s3-espnow", {"link.duplex": "full"})
    wired = {"link.topology": "switch", "link.duplex": "full"}
    assert load_profile("esp32s3-espnow", wired).hardware().duplex == "full"


def test_operations_are_counted_by_the_files_own_convention(own: Path) -> None:
    path = {"compute.fp32": "10GOP/s"}
    assert load_profile(str(own), path).hardware().compute_macps == 10e9
    both = path | {"ops_per_mac": "2"}
    assert load_profile(str(own), both).hardware().compute_macps == 5e9
    own.write_text("ops_per_mac = 2\n" + OWN, encoding="utf-8")
    assert load_profile(str(own), path).hardware().compute_macps == 5e9
    assert load_profile(str(own)).hardware().compute_macps == 1e9


def test_operations_in_a_file_need_its_convention(own: Path) -> None:
    text = OWN.replace("1GMAC/s", "1GOP/s")
    assert (
        "compute.fp32: '1GOP/s' counts operations, and the file has no ops_per_mac"
        in (faults_of(own, text)[1])
    )
    assert load_profile(str(own), {"ops_per_mac": "4"}).hardware().compute_macps == 0.25e9


# Files


def test_an_own_file_may_leave_sources_out(own: Path) -> None:
    profile = load_profile(str(own))
    assert (profile.name, profile.description) == ("mine", "mine")
    rows = {row.path: row[1:] for row in profile.figures()}
    assert rows["link.bandwidth"] == ("10MB/s", "given", GIVEN)
    assert rows["link.latency"] == ("1ms", "estimate", "a guess")
    assert rows["link.duplex"] == ("full", "given", GIVEN)


def test_an_own_file_is_found_from_its_folder(own: Path, monkeypatch) -> None:
    monkeypatch.chdir(own.parent)
    assert load_profile("mine.toml") == load_profile("./mine.toml")
    own.write_bytes(b"\xef\xbb\xbf" + own.read_bytes())  # as some editors save it
    assert load_profile("mine.toml").name == "mine"


def test_all_faults_come_at_once_each_with_its_path(own: Path) -> None:
    text = """
    dscription = "mine"
    ops_per_mac = true
    [link]
    bandwidth = { value = "37.5mb/s", estimate = "a guess" }
    latency = { value = "1ms", source = "a", estimate = "b" }
    topology = "mesh"
    [compute]
    fp33 = "1GMAC/s"
    fp16 = 5
    int8 = { value = "1GOP/s" }
    [efficiency]
    conv = 1.5
    linear = nan
    [memory]
    capacity = { vlaue = "1MB", source = "" }
    [cots]
    """
    count, found = faults_of(own, text)
    for fault in [
        "description: missing",
        "dscription: unknown; did you mean description?",
        "ops_per_mac: True: ",
        "link.bandwidth: '37.5mb/s' reads as millibits per second",
        "link.latency: has both source and estimate; wanted: exactly one",
        "link.topology: unknown topology 'mesh'; did you mean full-mesh?",
        "compute.fp33: unknown; did you mean fp32",
        "compute.fp16: 5 is not a text with a unit, in quotes",
        "compute.int8: has neither source nor estimate; wanted: exactly one",
        "efficiency.conv.value: 1.5: ",
        "efficiency.linear.value: nan: ",
        "memory.capacity.value: missing",
        "memory.capacity.vlaue: unknown; did you mean value?",
        "memory.capacity.source: '': ",
        "cots: unknown; did you mean cost",
    ]:
        assert fault in found
    assert int(count) == 15


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (OWN, "", "3 faults: description: missing; link: missing; compute: missing"),
        ('fp32 = { value = "1GMAC/s", source = "my bench" }', "", "compute: has no rate"),
        ('"mine"', '"two\\nlines"', "description: wanted: one line"),
        ("[compute]", "[cost]\nprice = {}\n[compute]", "cost.price.value: missing"),
        ("[compute]", "[memory]\ncapacity = [1]\n[compute]", "memory.capacity: [1] is not"),
        ("[compute]", 'efficiency = 3\n["a\\nb"]\n[compute]', "'a\\nb': unknown"),
        ("description", "cost = 3\ndescription", "cost: wanted: a table"),
        ('"1ms"', '"-1ms"', "link.latency: '-1ms' must be zero or more"),
        ('"10MB/s"', '"0MB/s"', "link.bandwidth: '0MB/s' must be more than zero"),
        ('"10MB/s"', '"10MB"', "link.bandwidth: '10MB' has no '/s'"),
    ],
)
def test_a_fault_names_its_path(own: Path, old: str, new: str, says: str) -> None:
    own.write_text(OWN.replace(old, new), encoding="utf-8")
    assert says in refused(own)


def test_an_override_of_a_broken_section_leaves_its_fault(own: Path) -> None:
    own.write_text("link = 3\n", encoding="utf-8")
    assert "link: wanted: a table" in refused(own, {"link.bandwidth": "1MB/s"})


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean splitnets-hmd"):
        load_profile("splitnets")
    with pytest.raises(UnknownNameError, match="did you mean rpi5-"):
        load_profile("rpi6")
    assert "unknown hardware profile ''" in refused("")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: no such file"),
        (b"a = = 1", "is not valid TOML: Invalid value (at line 1"),
        (b"x = 1\ny = '\xff'", "is not UTF-8 text (at line 2)"),
        (b"a = " + b"[" * 5000, "is not valid TOML: nested too deeply"),
        (b"a = " + b"9" * 5000, "is not valid TOML"),
        (b"a = 1\na = 2\n[", "is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content, says: str) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    assert says in refused(path)


def test_a_folder_or_an_impossible_path_says_so(tmp_path: Path) -> None:
    assert "cannot be read: is a directory" in refused(tmp_path)
    assert "not a possible file name" in refused("a\0b.toml")
    assert "cannot be read" in refused("a/b\nc.toml")
    assert "cannot be read" in refused("x" * 5000 + ".toml")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(dotted_keys()), values)
def test_any_value_anywhere_is_read_or_refused_in_one_line(monkeypatch, path: str, value) -> None:
    section, _, key = path.rpartition(".")
    raw = {
        "description": "mine",
        "link": {"bandwidth": "1MB/s", "latency": "0s", "topology": "ring"},
        "compute": {"fp32": "1GMAC/s"},
    }
    (raw.setdefault(section, {}) if section else raw)[key] = value
    monkeypatch.setattr(profile, "_read", lambda *_: raw)
    line = ""
    try:
        load_profile("mine.toml").hardware()
    except DiscosimError as error:
        line = str(error)
    assert line.isprintable()


FITTED = """
device = "Board"
runtime = "engine 2"
clock = "1 GHz"
threads = 2
held_out_error = 0.1
fused = true
[efficiency]
conv = 0.5
memory = 0.8
[efficiency_int8]
conv = 0.25
[overhead]
run = "2ms"
call = "3us"
[overhead_int8]
call = "1us"
[memory]
bandwidth = "1GB/s"
overlap = "none"
transform = 6
fast = "8MB"
spill = "100MB/s"
"""


def test_what_a_data_type_states_stands_in_place_of_the_general_figure(own: Path) -> None:
    (head, rest), (words, tables) = OWN.split("[link]"), FITTED.split("[efficiency]")
    text = f'{head}{words}[link]{rest}int8 = "2GMAC/s"\n[efficiency]{tables}'
    own.write_text(text, encoding="utf-8")
    profile = load_profile(str(own))
    assert profile.measured_as == "Board, engine 2, 1 GHz, 2 threads"
    wide, narrow = profile.hardware("fp32"), profile.hardware("int8")
    assert (wide.efficiency, narrow.efficiency) == ({"conv": 0.5}, {"conv": 0.25})
    assert (wide.overhead_s, narrow.overhead_s) == ({"call": 3e-6}, {"call": 1e-6})
    assert wide.memory_Bps == narrow.memory_Bps == 8e8
    assert (wide.run_s, wide.fast_bytes, wide.spill_Bps) == (2e-3, 8e6, 1e8)
    assert wide.transform == 6
    assert wide.folds
    assert wide.memory_overlap == "none"
    plain = load_profile(str(own), {"fused": "false", "threads": "4"})
    assert not plain.hardware().folds
    assert plain.document.threads == 4


def test_congestion_and_latency_of_links_are_words_and_numbers(own: Path) -> None:
    given = {"link.latency_per": "exchange", "link.senders": "4", "link.congestion": "1.5"}
    profile = load_profile(str(own), given)
    node = profile.hardware()
    assert (node.latency_per, node.senders, node.congestion) == ("exchange", 4, 1.5)
    shown = {row.path: row.value for row in profile.figures()}
    assert shown["link.latency_per"] == "exchange"
    assert (shown["link.senders"], shown["link.congestion"]) == ("4", "1.5")
    assert {row.path: row.reference for row in profile.figures()}["link.topology"] != "command line"
    assert "link.latency_per" not in {row.path for row in load_profile(str(own)).figures()}
    assert "link.senders" in refused(own, {"link.congestion": "2"})
    assert "exchange" in refused(own, {"link.latency_per": "exchnge"})
    assert refused(own, {**given, "link.congestion": "0.5"})


def test_a_spill_is_of_something(own: Path) -> None:
    assert "memory.fast" in refused(own, {"memory.spill": "1GB/s"})
