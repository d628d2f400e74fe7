"""`discosim allocate`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import click

from discosim.cli import options, types
from discosim.errors import DiscosimError, install_hint
from discosim.units import parse_bytes, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from discosim.configuration import Configuration
    from discosim.explore.allocation.allocate import Limit
    from discosim.explore.allocation.surrogate import Curves


class Saliency(TypedDict, total=False):
    """What `allocate` takes in place of its surrogate."""

    curves: "Curves"
    saliency: str


def _limit(parse: "Callable[[str], float]") -> "Callable[[str], Limit]":
    """Read a quantity, or a percentage of what dense takes."""

    def read(text: str) -> "Limit":
        from discosim.explore.allocation.allocate import Limit

        if text.strip().endswith("%"):
            share = float(types.number(text, "a limit as 30% of what dense takes"))
            if share < 0:
                raise DiscosimError(f"{text!r} of what dense takes; wanted 0% or more")
            return Limit(share, of_dense=True)
        return Limit(parse(text))

    return read


TIME = types.Parsed("time", _limit(parse_time))
BYTES = types.Parsed("bytes", _limit(parse_bytes))


@click.command("allocate")
@options.model
@options.one_number_of_nodes
@click.option("--latency", type=TIME, help="Limit: 100ms, or 30% of dense.")
@click.option("--bytes", "traffic", type=BYTES, help="Limit on the busiest node's traffic: 5MB.")
@click.option("--memory", type=BYTES, help="Limit on a node's memory: 30MiB.")
@click.option("--levels", type=types.S_COMM, help="S_comm to choose from [default: 0:0.95:0.05].")
@click.option("--weights", "weights_path", help="A .safetensors or .pt checkpoint to lose from.")
@click.option("--method", help="exact (needs scipy) or fast [default: exact; fast without scipy].")
@click.option(
    "--overlap", default="none", show_default=True, help="none, layer:K, layer:best or ideal."
)
@click.option("--mask", "mask_path", help="Mask whose weights say what is lost.")
@options.hardware_but_memory
@options.input_size
@options.counted
@click.option("--format", "form", type=click.Choice(options.FORMATS), help="[default: table].")
@click.option("-o", "--output", "path", help="Write the plan to a .json file for --plan.")
@click.option("--plot", "plot_path", help="Draw to a .png, .svg or .pdf file.")
def command(**values: Any) -> None:
    """S_comm of each layer that loses least saliency within limits on time, traffic or memory.

    \b
    discosim allocate --model resnet50 --latency 100ms -o plan.json
    discosim allocate --model resnet50 --bytes 30% --nodes 4 --plot plan.png
    discosim sweep --model resnet50 --plan plan.json
    """
    from discosim.cli.output import Output, check_file
    from discosim.cli.results import check_plot
    from discosim.explore.allocation.allocate import DEFAULT_LEVELS, Method, allocate
    from discosim.explore.allocation.layer_costs import BYTES, LATENCY, MEMORY
    from discosim.report import allocate as report
    from discosim.simulate import Overlap

    output = Output.open(values["form"], None)
    check_file(values["path"], "plan file", ".json")
    check_plot(values["plot_path"])
    given = {LATENCY: values["latency"], BYTES: values["traffic"], MEMORY: values["memory"]}
    nothing = {"at": "", "objective": "memory", "plan_path": None, "s_comm": None, "memory": None}
    [hardware] = options.one("--hw", options.read_hardware({**values, **nothing}))
    base = options.read_base({**values, **nothing}, hardware)
    [nodes] = options.one("--nodes", options.nodes_or_default(values, base, (2,)))
    if values["mask_path"] is not None and values["weights_path"] is not None:
        raise click.UsageError("give --mask or --weights: each says what is lost")
    saliency: Saliency = {} if values["weights_path"] is None else _saliency(values, base, nodes)
    found = allocate(
        replace(base, nodes=nodes, overlap=Overlap.parse(values["overlap"])),
        {name: limit for name, limit in given.items() if limit is not None},
        levels=values["levels"] or DEFAULT_LEVELS,
        method=None if values["method"] is None else Method(values["method"]),
        **saliency,
    )
    if values["method"] is None and found.method is not Method.EXACT:
        options.note(f"by the fast method; the exact one needs scipy: {install_hint('scipy')}")
    lines = report.findings(found, values["convention"])
    output.write(report.to_frame(found), lines, report.show(found))
    if values["path"] is not None:
        from discosim.partition.plan_file import write_plan

        write_plan(values["path"], found.plan_file(values["path"]))
        options.wrote(values["path"])
    if values["plot_path"] is not None:
        from discosim.report.allocate import draw_allocation
        from discosim.report.style import save

        save(draw_allocation(found, lines[0]), values["plot_path"])
        options.wrote(values["plot_path"])


def _saliency(values: options.Values, base: "Configuration", nodes: int) -> "Saliency":
    """The curves of a checkpoint's weights, and what is said of them."""
    from discosim.explore.allocation.weight_curves import weight_curves
    from discosim.runtime.checkpoint import read_weights
    from discosim.strategies.strategy import check_nodes

    check_nodes(base.table, nodes)
    network, path = base.network, values["weights_path"]
    weights, renamed = read_weights(path, network)
    if renamed:
        options.note(f"weights of {path} have other names: taken by order and shape")
    said = f"L1 norms of sub-rows of the weights of {path}, the least go first; accuracy is not "
    return {"curves": weight_curves(network, nodes, weights), "saliency": f"{said}predicted"}
