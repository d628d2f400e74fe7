"""The tables and the picture of experiments/allocation.py.

python experiments/allocation_report.py experiments/measured/allocation.jsonl

Writes allocation.md, allocation.png and, of several budgets, allocation-budgets.png beside the
file. Needs no torch.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from discosim.report.style import COMM, SINGLE, legend_right, new_figure, save
from discosim.report.tables import to_markdown

TASKS = {
    "vit": "ViT, digits [%]",
    "resnet": "ResNet, places in photographs [%]",
    "mobilenet": "MobileNetV2, digits [%]",
    "upscaler": "super-resolution [dB]",
    "mnist": "MobileNetV2, MNIST [%]",
    "cifar": "ResNet, CIFAR-10 [%]",
}
UNIFORM, OURS = "uniform", "gauss-newton"
WHOLE = ("dense", "branches")
LINES = (UNIFORM, "l1", "l1-log", OURS)
COLOURS = ("#555555", "#009E73", "#CC79A7", COMM)
SHOWN = 0.1
"""The budget of the picture, or the one nearest to it."""


def read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs, those without a budget at each budget, and the rank correlations."""
    rows = pd.read_json(path, lines=True)
    ranks = rows[rows["method"] == "rank"]
    runs = rows[rows["method"] != "rank"]
    whole, others = runs[runs["method"].isin(WHOLE)], runs[~runs["method"].isin(WHOLE)]
    settings = others[["nodes", "budget", "task"]].drop_duplicates()
    return pd.concat([others, whole.drop(columns="budget").merge(settings)]), ranks


def spread(values: "pd.Series[float]", digits: int) -> str:
    """Return mean and deviation, or the one value."""
    if len(values) == 1:
        return f"{values.iloc[0]:.{digits}f}"
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def titles(runs: pd.DataFrame) -> dict[str, str]:
    """Return the tasks that were run, with their headings."""
    run = set(runs["task"])
    return {task: title for task, title in TASKS.items() if task in run}


def qualities(runs: pd.DataFrame, column: str) -> str:
    """Return mean and deviation over seeds, a row a method, as Markdown."""
    methods = list(dict.fromkeys(runs["method"]))
    cells = {"plan": methods}
    for task, title in titles(runs).items():
        digits = 2 if task == "upscaler" else 1
        of_task = runs[runs["task"] == task]
        found = [of_task.loc[of_task["method"] == method, column] for method in methods]
        cells[title] = [spread(each, digits) if len(each) else "" for each in found]
    return to_markdown(cells, [])


def gains(runs: pd.DataFrame, over: str) -> pd.DataFrame:
    """Return the mean gain of each plan over another of the same seed, and its standard error."""
    keys = ["task", "seed"]
    other = runs[runs["method"] == over].set_index(keys)["quality"]
    rest = runs[runs["method"] != over]
    gained = rest["quality"].to_numpy() - other.reindex(rest.set_index(keys).index).to_numpy()
    grouped = rest.assign(gain=gained).groupby(["task", "method"], sort=False)["gain"]
    return grouped.agg(["mean", "sem", "count"]).reset_index()


def gain_of(row: "pd.Series[float]", digits: int) -> str:
    """Return the mean, and its error where there are several seeds."""
    error = f" ± {row['sem']:.{digits}f}" if row["count"] > 1 else ""
    return f"{row['mean']:+.{digits}f}{error}"


def gain_table(runs: pd.DataFrame, over: str) -> str:
    """Return those gains as Markdown."""
    found = gains(runs, over)
    methods = list(dict.fromkeys(found["method"]))
    cells = {f"gain over {over}": methods}
    for task, title in titles(runs).items():
        of_task = found[found["task"] == task].set_index("method")
        digits = 2 if task == "upscaler" else 1
        cells[title] = [
            gain_of(of_task.loc[m], digits) if m in of_task.index else "" for m in methods
        ]
    return to_markdown(cells, [])


def rank_table(ranks: pd.DataFrame) -> str:
    """Return Spearman's correlation of each proxy with quality and divergence, as Markdown."""
    cells: dict[str, list[str]] = {}
    for _, row in ranks.iterrows():
        for with_, said in (("with_quality", "quality lost"), ("with_divergence", "divergence")):
            values = {
                "task": row["task"],
                "nodes": str(row["nodes"]),
                "bytes [%]": f"{100 * row['budget']:g}",
                "seed": str(row["seed"]),
                "with": said,
                **{name: correlation(value) for name, value in row[with_].items()},
            }
            for name, value in values.items():
                cells.setdefault(name, []).append(value)
    return to_markdown(cells, [])


def correlation(value: float | None) -> str:
    """Return it, or nothing where every plan was as bad as every other."""
    return "" if value is None or np.isnan(value) else f"{value:.2f}"


def draw(runs: pd.DataFrame, path: Path) -> None:
    """Draw the qualities after finetuning: a panel a task, a row a plan, a point a seed."""
    tasks = [task for task in TASKS if (runs["task"] == task).any()]
    methods = [m for m in dict.fromkeys(runs["method"]) if m not in WHOLE][::-1]
    figure = new_figure(4.2 * len(tasks), 0.32 * len(methods) + 1.6, "after the same finetuning")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        of_task = runs[runs["task"] == task]
        for at, method in enumerate(methods):
            values = of_task.loc[of_task["method"] == method, "quality"].to_numpy()
            colour = COMM if method.startswith(OURS) else "#555555"
            axes.plot(values, np.full(len(values), at), "o", ms=4, color=colour, alpha=0.5)
            if len(values):
                axes.plot(values.mean(), at, "|", ms=14, mew=2, color=colour)
        dense = of_task.loc[of_task["method"] == "dense", "quality"]
        if len(dense):
            axes.axvline(dense.mean(), color=SINGLE, ls=(0, (5, 2)), lw=1)
        axes.set(xlabel=TASKS[task], yticks=range(len(methods)), yticklabels=methods)
    save(figure, str(path))


def in_all_budgets(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of the seeds that were run at every budget, so that lines compare."""
    uniform = runs[runs["method"] == UNIFORM]
    counts = uniform.groupby("seed")["budget"].nunique()
    return runs[runs["seed"].isin(counts.index[counts == counts.max()])]


def draw_budgets(runs: pd.DataFrame, path: Path) -> None:
    """Draw mean quality against what is kept of the bytes: a row an N, a column a task.

    Of the seeds that were run at all budgets.
    """
    counts = sorted(runs["nodes"].unique())
    budgets = runs.groupby("task")["budget"].nunique()
    tasks = [task for task in TASKS if budgets.get(task, 0) > 1]
    figure = new_figure(
        3.2 * len(tasks) + 1.5, 2.6 * len(counts) + 0.8, "after the same finetuning"
    )
    panels = figure.subplots(len(counts), len(tasks), squeeze=False)
    for row, nodes in zip(panels, counts, strict=True):
        for axes, task in zip(row, tasks, strict=True):
            here = in_all_budgets(runs[(runs["nodes"] == nodes) & (runs["task"] == task)])
            for colour, method in zip(COLOURS, LINES, strict=True):
                means = here[here["method"] == method].groupby("budget")["quality"].mean()
                axes.plot(100 * means.index, means, "o-", ms=3, color=colour, label=method)
            dense = here.loc[here["method"] == "dense", "quality"]
            if len(dense):
                axes.axhline(dense.mean(), color=SINGLE, ls=(0, (5, 2)), lw=1, label="dense")
            name, unit = TASKS[task].split(" [")
            measure = "PSNR" if unit == "dB]" else "accuracy"
            axes.set(xscale="log", xlabel="of the dense bytes [%]", ylabel=f"{measure} [{unit}")
            ticks = sorted(100 * here["budget"].unique())
            axes.set_xticks(ticks, [f"{each:g}" for each in ticks])
            axes.minorticks_off()
            axes.set_title(f"{name}, N = {nodes}")
    legend_right(figure, *panels[0, 0].get_legend_handles_labels())
    save(figure, str(path))


def seeds_of(group: pd.DataFrame) -> str:
    """Return how many seeds, or of which task how many."""
    found = group[group["method"] == UNIFORM].groupby("task")["seed"].nunique()
    if len(set(found)) == 1:
        return "1 seed" if found.iloc[0] == 1 else f"{found.iloc[0]} seeds"
    names = {
        task: title.partition(" [")[0]
        for task, title in titles(group).items()
        if task in found.index
    }
    return "Seeds: " + "; ".join(f"{title} {found[task]}" for task, title in names.items())


def main() -> None:
    """Write the tables and the pictures."""
    path = Path(sys.argv[1])
    runs, ranks = read(path)
    parts = ["# Plans by each criterion, at equal latency\n"]
    for (nodes, budget), group in runs.groupby(["nodes", "budget"]):
        parts += [
            f"## {nodes} nodes, {100 * budget:g} % of the bytes\n",
            f"{seeds_of(group)}.\n",
            "After the same short finetuning, mean ± deviation over the seeds:\n",
            qualities(group, "quality"),
            "The difference on the same seeds, mean ± standard error:\n",
            gain_table(group, UNIFORM),
        ]
        if (group["method"] == "l1").any():
            parts.append(gain_table(group[group["method"].isin(["l1", OURS])], "l1"))
        parts += ["One-shot, before any finetuning:\n", qualities(group, "one_shot")]
    if len(ranks):
        parts += [
            "## Rank correlation over random plans of that latency, one-shot\n",
            rank_table(ranks),
        ]
    path.with_suffix(".md").write_text("\n".join(parts), encoding="utf-8")
    most = runs[runs["nodes"] == runs["nodes"].max()]
    nearest = min(most["budget"].unique(), key=lambda budget: abs(budget - SHOWN))
    draw(most[most["budget"] == nearest], path.with_suffix(".png"))
    if len(set(runs["budget"])) > 1:
        draw_budgets(runs, path.with_name(f"{path.stem}-budgets.png"))


if __name__ == "__main__":
    main()
