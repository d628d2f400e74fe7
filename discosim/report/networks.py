"""The networks that can be named, as a table."""

import pandas as pd


def show_networks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `networks` for people."""
    return pd.DataFrame(
        {
            "model": frame["model"],
            "input": frame["input"],
            "layers": frame["layers"].map(str),
            "params [M]": (frame["params"] / 1e6).map("{:,.2f}".format),
            "MACs [G]": (frame["macs"] / 1e9).map("{:,.3f}".format),
            "exchanged if dense [M elements]": (frame["in_elems"] / 1e6).map("{:,.2f}".format),
        }
    )
