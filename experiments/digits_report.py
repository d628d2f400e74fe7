"""The table and the picture of experiments/digits.py, in the manner of the paper's Table I.

python experiments/digits_report.py experiments/measured/digits.jsonl

Writes digits.csv, digits.md and digits.png beside the file. Needs no torch.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from discosim.report.frames import as_cells
from discosim.report.style import legend_right, line_styles, new_figure, save
from discosim.report.tables import to_markdown

SETTING = ["noise", "network", "nodes"]
METHODS = {
    "dense": "Dense",
    "random": "Random sparse communication",
    "branches": "Independent branches",
    "dense-then-split": "Dense-then-split",
    "split-then-aggregate": "Split-then-aggregate",
    "disco": "DISCO",
}
NETWORKS = {"resnet": "small ResNet", "vit": "small ViT"}
UNIFORM = ("dense", "disco", "random", "branches")


def read(path: Path) -> pd.DataFrame:
    """Return one row a run; dense, which is the same for any N, once for each N."""
    runs = pd.read_json(path, lines=True)
    others = [n for n in runs["nodes"].unique() if n != runs["nodes"].min()]
    dense = runs[runs["method"] == "dense"]
    runs = pd.concat([runs, *(dense.assign(nodes=n) for n in others)], ignore_index=True)
    uniform = runs["method"].isin(UNIFORM)
    runs["s"] = np.where(uniform, runs["s_comm"], runs["avg_s_comm"])
    runs["percent"] = 100 * runs["accuracy"]
    return runs


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return mean accuracy, its deviation over the seeds, and that less dense of the same seed."""
    keys = [*SETTING, "seed"]
    dense = runs[runs["method"] == "dense"].set_index(keys)["percent"]
    runs = runs.assign(less=runs["percent"] - dense.reindex(runs.set_index(keys).index).to_numpy())
    runs["method"] = pd.Categorical(runs["method"], list(METHODS), ordered=True)
    groups = runs.groupby([*SETTING, "method", "s", "at"], observed=True)
    return groups.agg(
        s_comp=("avg_s_comp", "mean"),
        accuracy=("percent", "mean"),
        deviation=("percent", "std"),
        less_dense=("less", "mean"),
        less_dense_error=("less", "sem"),
        seeds=("percent", "count"),
    ).reset_index()


def orderings(runs: pd.DataFrame) -> pd.DataFrame:
    """Return DISCO less each other method, seed by seed: mean and standard error, in points.

    A method with a cut is compared with DISCO at the least S_comm that sends no more than it.
    """
    rows = []
    disco = runs[runs["method"] == "disco"]
    others = runs[~runs["method"].isin(("dense", "disco"))]
    for key, other in others.groupby([*SETTING, "method", "s", "at"]):
        *setting, method, s, at = key
        here = disco[(disco[SETTING] == setting).all(axis=1)]
        levels = sorted(here["s"].unique())
        level = next((level for level in levels if level >= s - 1e-9), levels[-1] if levels else 0)
        pair = other.merge(here[here["s"] == level], on="seed", suffixes=("", "_disco"))
        less = pair["percent_disco"] - pair["percent"]
        rows.append(
            {
                **dict(zip(SETTING, setting, strict=True)),
                "method": method,
                "at": at,
                "s": s,
                "disco_s": level,
                "advantage": less.mean(),
                "error": less.sem(),
                "seeds": len(less),
            }
        )
    return pd.DataFrame(rows)


def claims(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what the paper concludes from Table I, in points of accuracy, seed by seed.

    A cut is compared with DISCO as in `orderings`; means are over the levels or the cuts first.
    """
    keys = [*SETTING, "seed"]
    disco = runs[runs["method"] == "disco"]
    at = {s: disco[disco["s"] == s].set_index(keys)["percent"] for s in disco["s"].unique()}
    means = {m: part.groupby(keys)["percent"].mean() for m, part in runs.groupby("method")}
    both = disco.merge(runs[runs["method"] == "random"], on=[*keys, "s"], suffixes=("", "_random"))
    cuts = runs[runs["method"].isin(("dense-then-split", "split-then-aggregate"))].copy()
    levels = sorted(at)
    cuts["level"] = [next((x for x in levels if x >= s - 1e-9), levels[-1]) for s in cuts["s"]]
    cut = cuts.merge(disco, left_on=[*keys, "level"], right_on=[*keys, "s"], suffixes=("_cut", ""))
    differences = {
        "S = 80 % less dense": at[0.8] - means["dense"],
        "DISCO less random": (both["percent"] - both["percent_random"]).groupby(
            [both[key] for key in keys]
        ),
        "DISCO less cuts": (cut["percent"] - cut["percent_cut"]).groupby(
            [cut[key] for key in keys]
        ),
        "S = 99 % less branches": at[0.99] - means["branches"],
    }
    columns = {}
    for name, values in differences.items():
        by_seed = values if isinstance(values, pd.Series) else values.mean()
        groups = by_seed.dropna().groupby(SETTING)
        columns[name] = pd.Series(
            dict(zip(groups.mean().index, _with(groups.mean(), groups.sem(), "+"), strict=True))
        )
    frame = pd.DataFrame(columns).reset_index(names=SETTING)
    frame.insert(0, "noise ", [f"{noise:g}" for noise in frame.pop("noise")])
    frame["network"] = [NETWORKS[network] for network in frame["network"]]
    return frame.rename(columns={"noise ": "noise", "nodes": "N"}).fillna("")


def for_people(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table with text cells."""
    return pd.DataFrame(
        {
            "noise": [f"{noise:g}" for noise in rows["noise"]],
            "network": [NETWORKS[network] for network in rows["network"]],
            "N": rows["nodes"].astype(str),
            "method": [
                METHODS[m] + f" @ {at}" * bool(at)
                for m, at in zip(rows["method"], rows["at"], strict=True)
            ],
            "S_comm [%]": [f"{100 * s:.0f}" for s in rows["s"]],
            "S_comp [%]": [f"{100 * s:.0f}" for s in rows["s_comp"]],
            "accuracy [%]": _with(rows["accuracy"], rows["deviation"]),
            "less dense": _with(rows["less_dense"], rows["less_dense_error"], "+"),
            "seeds": rows["seeds"].astype(str),
        }
    )


def advantage_for_people(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the orderings with text cells."""
    return pd.DataFrame(
        {
            "noise": [f"{noise:g}" for noise in rows["noise"]],
            "network": [NETWORKS[network] for network in rows["network"]],
            "N": rows["nodes"].astype(str),
            "DISCO at S_comm [%]": [f"{100 * s:.0f}" for s in rows["disco_s"]],
            "less": [
                METHODS[m] + f" @ {at}" * bool(at)
                for m, at in zip(rows["method"], rows["at"], strict=True)
            ],
            "at S_comm [%]": [f"{100 * s:.0f}" for s in rows["s"]],
            "points": _with(rows["advantage"], rows["error"], "+"),
            "seeds": rows["seeds"].astype(str),
        }
    )


def _with(values: pd.Series, errors: pd.Series, sign: str = "-") -> list[str]:
    pairs = zip(values, errors, strict=True)
    return [f"{v:{sign}.2f} ± {e:.2f}" if np.isfinite(e) else f"{v:{sign}.2f}" for v, e in pairs]


def draw(rows: pd.DataFrame, path: str) -> None:
    """Draw accuracy against what is sent: a row of panels a noise, a column a network and N."""
    settings = rows[SETTING].drop_duplicates()
    noises = sorted(settings["noise"].unique())
    columns = sorted(set(settings[["network", "nodes"]].itertuples(index=False, name=None)))
    figure = new_figure(
        3.1 * len(columns) + 2.4,
        2.9 * len(noises) + 0.5,
        f"Handwritten digits: accuracy against features sent, mean and standard deviation over "
        f"{rows['seeds'].max()} seeds",
    )
    panels = figure.subplots(len(noises), len(columns), sharex=True, squeeze=False)
    order = [*reversed(METHODS)]  # DISCO first
    styles = dict(zip(order, line_styles(len(order), marked=True), strict=True))
    handles = {}
    for noise, line in zip(noises, panels, strict=True):
        for (network, nodes), axes in zip(columns, line, strict=True):
            here = rows[(rows[SETTING] == [noise, network, nodes]).all(axis=1)]
            for method, part in here.groupby("method", observed=True):
                style = {**styles[method], "lw": 1.2}
                if method in ("dense", "branches"):
                    style["ls"] = ""
                part = part.sort_values("s")
                handles[method] = axes.errorbar(
                    100 * (1 - part["s"]), part["accuracy"], part["deviation"], capsize=2, **style
                )
            same = rows[(rows[["noise", "network"]] == [noise, network]).all(axis=1)]
            spread = same["deviation"].fillna(0.0)
            low, high = (same["accuracy"] - spread).min(), (same["accuracy"] + spread).max()
            axes.set_ylim(low - 0.3, high + 0.3)
            axes.set_xscale("symlog", linthresh=1.0, linscale=0.4)
            axes.set_xticks([0, 1, 5, 20, 100], ["0", "1", "5", "20", "100"])
            axes.set_xlim(-0.4, 130)
            axes.xaxis.set_minor_locator(_no_ticks())
            axes.set_title(
                f"{NETWORKS[network]}, N = {nodes}, "
                + (f"noise {noise:g}" if noise else "no noise")
            )
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy [%]")
    for axes in panels[-1]:
        axes.set_xlabel("remote features sent [%]")
    named = [method for method in METHODS if method in handles]
    legend_right(figure, [handles[m] for m in named], [METHODS[m] for m in named])
    save(figure, path)


def _no_ticks() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def main(path: Path) -> None:
    """Write the table, the orderings and the picture beside the runs."""
    runs = read(path)
    rows, advantages = table(runs), orderings(runs)
    rows.round(4).to_csv(path.with_suffix(".csv"), index=False)
    hours = pd.read_json(path, lines=True)["cpu_s"].sum() / 3600
    text = (
        "# Handwritten digits: the rows\n\nMade by `python experiments/digits_report.py "
        "experiments/measured/digits.jsonl`; what it means is in docs/evidence.md.\n"
        f"The runs took {hours:.1f} hours of one core, training the dense networks not counted.\n\n"
        "## What the paper concludes, in points of accuracy: mean ± standard error over seeds\n\n"
        + to_markdown(as_cells(claims(runs)), [])
        + "\n## Accuracy: mean ± standard deviation; less dense: mean ± standard error\n\n"
        + to_markdown(as_cells(for_people(rows)), [])
        + "\n## DISCO less each other method, of the same seed: mean ± standard error\n\n"
        + to_markdown(as_cells(advantage_for_people(advantages)), [])
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    draw(rows, str(path.with_suffix(".png")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
