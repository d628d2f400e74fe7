"""Text to SI numbers: laws first, then the forms that people write and those that are refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim import units
from discosim.errors import DiscosimError
from discosim.units import (
    format_quantity,
    parse_bandwidth,
    parse_bytes,
    parse_compute,
    parse_energy,
    parse_power,
    parse_price,
    parse_time,
)

PARSERS = {
    "B/s": parse_bandwidth,
    "MAC/s": parse_compute,
    "B": parse_bytes,
    "s": parse_time,
    "W": parse_power,
    "J": parse_energy,
    "USD": parse_price,
}
numbers = st.floats(1e-6, 1e15, allow_nan=False)
positive = st.floats(1e-3, 1e9, allow_nan=False)


@pytest.mark.parametrize("unit", PARSERS)
@given(value=numbers)
def test_what_is_formatted_in_full_is_read_back(unit: str, value: float) -> None:
    assert PARSERS[unit](format_quantity(value, unit, 17)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("unit", PARSERS)
@given(value=numbers)
def test_three_digits_are_within_half_of_the_last_one(unit: str, value: float) -> None:
    assert PARSERS[unit](format_quantity(value, unit)) == pytest.approx(value, rel=5.01e-3)


@given(positive)
def test_a_prefix_scales_by_its_power(x: float) -> None:
    for k, prefix in enumerate(["", "k", "M", "G", "T", "P"]):
        assert parse_bytes(f"{x!r}{prefix}B") == pytest.approx(x * 1000.0**k)
        if prefix:
            binary = prefix.upper() + "iB"
            assert parse_bytes(f"{x!r}{binary}") == pytest.approx(x * 1024.0**k)
    for k, prefix in enumerate(["", "m", "u", "n", "p", "f"]):
        assert parse_energy(f"{x!r}{prefix}J") == pytest.approx(x * 1000.0**-k)


@given(positive, st.sampled_from(["", "k", "K", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"]))
def test_a_byte_is_eight_bits(x: float, prefix: str) -> None:
    for byte, bit in [("B/s", "b/s"), ("B/s", "bit/s"), ("Bps", "bps")]:
        eight = 8 * parse_bandwidth(f"{x!r}{prefix}{bit}")
        assert parse_bandwidth(f"{x!r}{prefix}{byte}") == pytest.approx(eight)
    assert parse_bytes(f"{x!r}{prefix}B") == pytest.approx(8 * parse_bytes(f"{x!r} {prefix}bit"))


@given(positive, st.floats(0.1, 10))
def test_mac_flop_and_op(x: float, ops_per_mac: float) -> None:
    macs = parse_compute(f"{x!r}GMAC/s")
    assert parse_compute(f"{2 * x!r}GFLOP/s", ops_per_mac) == pytest.approx(macs)
    assert parse_compute(f"{ops_per_mac * x!r}GOP/s", ops_per_mac) == pytest.approx(macs)


near_misses = st.builds(
    "{!r}{}".format,
    positive,
    st.text(alphabet="kKMGTPmgtpu\u00b5nibBytesopOPFLMAC/ $UD,.eE+-0123456789", max_size=12),
)


def refusal(parse, text: str) -> str:
    try:
        assert math.isfinite(parse(text))
    except DiscosimError as error:
        return str(error)
    return ""


@given(st.text() | near_misses)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    assert all(refusal(parse, text).isprintable() for parse in PARSERS.values())


@pytest.mark.parametrize(
    ("text", "si"),
    [
        ("37.5MB/s", 3.75e7),
        ("300Mbit/s", 3.75e7),
        ("300Mbps", 3.75e7),
        ("300 Mb/s", 3.75e7),
        ("3.75e7B/s", 3.75e7),
        (" 37500 kB/s ", 3.75e7),
        ("1KiB/s", 1024),
        ("1Gbps", 1.25e8),
    ],
)
def test_bandwidths(text: str, si: float) -> None:
    assert parse_bandwidth(text) == si


@pytest.mark.parametrize(
    ("parse", "text", "si"),
    [
        (parse_compute, "125GOP/s", 125e9),
        (parse_compute, "125GOPS", 62.5e9),
        (parse_compute, "4TOPS", 2e12),
        (parse_compute, "62.5GMAC/s", 62.5e9),
        (parse_compute, "250GFLOP/s", 125e9),
        (parse_compute, "472GFLOPS", 236e9),
        (parse_bytes, "512KiB", 524288),
        (parse_bytes, "512KB", 512000),
        (parse_bytes, "8Mbit", 1e6),
        (parse_time, "1ms", 1e-3),
        (parse_time, "100us", 1e-4),
        (parse_time, "100\N{MICRO SIGN}s", 1e-4),
        (parse_time, "100\N{GREEK SMALL LETTER MU}s", 1e-4),
        (parse_time, "2ns", 2e-9),
        (parse_time, "0s", 0),
        (parse_power, "5W", 5),
        (parse_power, "300mW", 0.3),
        (parse_energy, "1pJ", 1e-12),
        (parse_price, "35USD", 35),
        (parse_price, "$35", 35),
        (parse_price, "35 USD", 35),
    ],
)
def test_other_quantities(parse, text: str, si: float) -> None:
    assert parse(text) == si


def test_operations_are_what_the_profile_says() -> None:
    """Vendors count two operations a MAC: 4 TOPS are 2 TMAC/s unless something else is said."""
    assert parse_compute("4TOPS", ops_per_mac=2) == parse_compute("4TOP/s", ops_per_mac=2) == 2e12
    assert parse_compute("4TOPS", ops_per_mac=1) == parse_compute("4TOP/s") == 4e12


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (parse_bandwidth, "37.5mb/s", "millibits per second: write 37.5MB/s or 37.5Mbit/s"),
        (parse_bandwidth, "37.5mB/s", "millibytes per second: write 37.5MB/s"),
        (parse_bandwidth, "37.5mbps", "millibits per second"),
        (parse_compute, "4mMAC/s", "milliMACs per second: write 4MMAC/s"),
        (parse_bytes, "8mb", "millibits: write 8MB or 8Mbit"),
        (parse_bytes, "2gB", "write 2GB"),
        (parse_compute, "1tFLOP/s", "write 1TFLOP/s"),
        (parse_compute, "125gop/s", "write 125GOP/s"),
        (parse_power, "5w", "write 5W"),
        (parse_time, "5S", "write 5s"),
        (parse_bandwidth, "37.5", "has no unit; wanted: a bandwidth, such as 37.5MB/s"),
        (parse_price, "35", "has no unit; wanted: a price"),
        (parse_bandwidth, "", "is empty; wanted: a bandwidth"),
        (parse_price, "$", "is empty; wanted: a price"),
        (parse_bandwidth, " \n", "is empty"),
        (parse_bandwidth, "nan", "not a finite number"),
        (parse_time, "NaNs", "not a finite number"),
        (parse_bandwidth, "-infB/s", "not a finite number"),
        (parse_price, "$inf", "not a finite number"),
        (parse_bandwidth, "1e999B/s", "too large"),
        (parse_bandwidth, "1e300PB/s", "too large"),
        (parse_bandwidth, "-1MB/s", "must be more than zero"),
        (parse_bandwidth, "0B/s", "must be more than zero"),
        (parse_compute, "0MAC/s", "must be more than zero"),
        (parse_bytes, "0B", "must be more than zero"),
        (parse_time, "-1s", "must be zero or more"),
        (parse_bandwidth, "12furlong", "unknown unit 'furlong'; wanted: a bandwidth"),
        (parse_bandwidth, "37.5MB", "has no '/s': write 37.5MB/s"),
        (parse_compute, "472GFLOPs", "has no '/s'"),
        (parse_bandwidth, "5ms", "is a time; wanted: a bandwidth"),
        (parse_bytes, "5MB/s", "is a bandwidth; wanted: a memory size"),
        (parse_bandwidth, "37,5MB/s", "write a decimal point"),
        (parse_bandwidth, "fast", "does not start with a number"),
        (parse_bandwidth, "5MB/s\n6MB/s", "unknown unit"),
        (parse_bandwidth, "5" + "x" * 1000, "unknown unit"),
    ],
)
def test_what_is_refused_says_why_and_what_is_wanted(parse, text: str, says: str) -> None:
    with pytest.raises(DiscosimError) as caught:
        parse(text)
    line = str(caught.value)
    assert says in line
    assert "wanted: " in line
    assert line.isprintable()
    assert len(line) < 250


@pytest.mark.parametrize("ops_per_mac", [0, -1, math.nan, math.inf])
def test_operations_a_mac_are_a_positive_number(ops_per_mac: float) -> None:
    with pytest.raises(DiscosimError, match="ops_per_mac"):
        parse_compute("1GOP/s", ops_per_mac)


def test_a_rate_that_overflows_by_ops_per_mac_is_refused() -> None:
    with pytest.raises(DiscosimError, match="out of range"):
        parse_compute("1e300OP/s", 1e-20)


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [
        (3.75e7, "B/s", 3, "37.5 MB/s"),
        (0.1222, "s", 3, "122 ms"),
        (0, "B/s", 3, "0 B/s"),
        (999.96, "B/s", 3, "1 kB/s"),
        (9.999e-4, "s", 3, "1 ms"),
        (12345, "s", 5, "12345 s"),
        (0.02, "B/s", 3, "0.02 B/s"),
        (35000, "USD", 3, "35000 USD"),
        (1e-12, "J", 3, "1 pJ"),
        (4.089e9, "MAC", 3, "4.09 GMAC"),
        (-0.5, "s", 3, "-500 ms"),
        (123.4, "B", 1, "100 B"),
        (1e30, "B", 3, "1.00e15 PB"),
        (math.inf, "s", 3, "inf s"),
        (12, "", 3, "12"),
    ],
)
def test_formatting(value: float, unit: str, digits: int, text: str) -> None:
    assert format_quantity(value, unit, digits) == text


@pytest.mark.parametrize(
    ("parse", "quantity"), [*zip(PARSERS.values(), units._QUANTITIES, strict=True)]
)
def test_the_examples_of_the_messages_are_readable(parse, quantity) -> None:
    for example in quantity.example.split(" or "):
        assert parse(example) > 0
