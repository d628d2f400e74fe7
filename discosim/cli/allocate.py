"""`discosim allocate`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.allocate import limit
from discosim.door.given import CountedAs
from discosim.door.network import Sizes
from discosim.explore.allocation.allocate import Limit
from discosim.files import check_file
from discosim.units import parse_bytes, parse_time

TIME = types.Parsed("time", lambda text: limit(text, parse_time))
BYTES = types.Parsed("bytes", lambda text: limit(text, parse_bytes))


@click.command("allocate")
@options.model
@options.one_number_of_nodes
@click.option("--latency", type=TIME, help="Limit: 100ms, or 30% of dense.")
@click.option("--bytes", "traffic", type=BYTES, help="Limit on the busiest node's traffic: 5MB.")
@click.option("--memory", type=BYTES, help="Limit on a node's memory: 30MiB.")
@click.option("--levels", type=types.S_COMM, help="S_comm to choose from [default: 0:0.95:0.05].")
@click.option("--weights", help="A .safetensors or .pt checkpoint to lose from.")
@click.option("--method", help="exact (needs scipy) or fast [default: exact; fast without scipy].")
@options.one_overlap
@click.option("--mask", help="Mask whose weights say what is lost.")
@options.hardware_but_memory
@options.input_size
@options.counted
@options.form
@click.option("-o", "--output", "path", help="Write the plan to a .json file for --plan.")
@options.plot
def command(
    model: str,
    input_shape: Sizes | None,
    hardware: options.Profiles,
    nodes: list[int] | None,
    latency: Limit | None,
    traffic: Limit | None,
    memory: Limit | None,
    levels: list[float] | None,
    weights: str | None,
    method: str | None,
    overlap: str,
    mask: str | None,
    counted: CountedAs,
    form: str | None,
    path: str | None,
    plot_path: str | None,
) -> None:
    """S_comm of each layer that loses least saliency within limits on time, traffic or memory.

    \b
    discosim allocate --model resnet50 --latency 100ms -o plan.json
    discosim allocate --model resnet50 --bytes 30% --nodes 4 --plot plan.png
    discosim sweep --model resnet50 --plan plan.json
    """
    from discosim.door.allocate import allocate
    from discosim.door.network import network

    output = Output(form, plot_path=plot_path)
    check_file(path, "plan file", ".json")
    output.check()
    answer = allocate(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        latency=latency,
        bytes=traffic,
        memory=memory,
        levels=levels,
        weights=weights,
        mask=mask,
        method=method,
        overlap=overlap,
        **counted,
    )
    output.give(answer, (path, answer.save))
