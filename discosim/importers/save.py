"""Networks written to files that other programs read."""

from pathlib import Path

from discosim.errors import DiscosimError
from discosim.graph.network import Network

SUFFIXES = (".json", ".csv")


def check_format(path: str) -> None:
    """Raise DiscosimError where the suffix is not one that a network is written to."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise DiscosimError(f"network file {path!r}; wanted a suffix of {', '.join(SUFFIXES)}")


def saved(network: Network, path: str) -> tuple[str, str]:
    """Return the text of the network for that suffix, and what it leaves out, or ""."""
    if Path(path).suffix.lower() == ".json":
        from discosim.importers.nodelink import to_json

        return to_json(network), ""
    from discosim.importers.scalesim import left_out, to_csv

    missing = left_out(network)
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    told = f"a SCALE-Sim table has no row for {', '.join(missing[:3])}{more}" if missing else ""
    return to_csv(network), told
