"""Types of options: a text that a function reads; what it refuses is a usage error."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from discosim.door.text import (
    parse_each_name,
    parse_input,
    parse_names,
    parse_nodes,
    parse_rate,
    parse_s_comm,
    parse_setting,
    series_of,
)
from discosim.errors import DiscosimError
from discosim.units import (
    parse_bandwidth,
    parse_bytes,
    parse_compute,
    parse_energy,
    parse_length,
    parse_price,
    parse_time,
)

if TYPE_CHECKING:
    AnyType = click.ParamType[Any]
else:  # no click before 8.4 takes the brackets
    AnyType = click.ParamType


class Parsed(AnyType):
    """An option whose text a function reads; what it refuses is a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed value."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except DiscosimError as error:
            self.fail(str(error), param, ctx)


def _checked(parse: Callable[[str], float]) -> Callable[[str], str]:
    """The text itself, once it is known to be right: the profile takes it as it is written."""

    def check(text: str) -> str:
        parse(text)
        return text

    return check


BANDWIDTH = Parsed("bandwidth", _checked(parse_bandwidth))
COMPUTE = Parsed("rate", _checked(parse_compute))
MEMORY = Parsed("memory", _checked(parse_bytes))
TIME = Parsed("time", _checked(parse_time))
SECONDS = Parsed("time", parse_time)
PRICE = Parsed("price", parse_price)
ENERGY = Parsed("energy", parse_energy)
RATE = Parsed("rate", parse_rate)
BANDWIDTHS = Parsed("bandwidths", series_of(parse_bandwidth, "1MB/s:1GB/s:100"))
COMPUTES = Parsed("rates", series_of(parse_compute, "1GMAC/s:1TMAC/s:100"))
TIMES = Parsed("times", series_of(parse_time, "10us:10ms:20"))
S_COMM = Parsed("values", parse_s_comm)
NODES = Parsed("numbers", parse_nodes)
LENGTH = Parsed("length", parse_length)
INPUT = Parsed("size", parse_input)
NAMES = Parsed("names", parse_names)
NAMES_IN_PLACE = Parsed("names", parse_each_name)
SETTING = Parsed("path=value", parse_setting)
