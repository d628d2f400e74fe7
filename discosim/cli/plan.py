"""`discosim plan`."""

import click

from discosim.cli import options, types
from discosim.cli.output import Output
from discosim.door.given import CountedAs
from discosim.door.network import Sizes
from discosim.files import check_file


@click.command("plan")
@options.model
@options.one_number_of_nodes
@click.option(
    "--memory", type=types.MEMORY, help="Limit on a node's memory: 60MB [default: the profile's]."
)
@click.option(
    "--s-comm", type=types.S_COMM, help="To choose from, of outputs [default: 0,0.8,0.9]."
)
@click.option("--exact-only", is_flag=True, help="Nothing that needs training.")
@options.one_overlap
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
    memory: str | None,
    s_comm: list[float] | None,
    exact_only: bool,
    overlap: str,
    counted: CountedAs,
    form: str | None,
    path: str | None,
    plot_path: str | None,
) -> None:
    """The best split of each layer within a node's memory: rows, outputs, inputs, whole or one.

    \b
    discosim plan --model resnet50 --hw rpi4-gigabit --exact-only
    discosim plan --model resnet50 --bw 37.5MB/s --memory 60MB -o plan.json --plot plan.png
    discosim layers --model resnet50 --bw 37.5MB/s --plan plan.json
    """
    from discosim.door.network import network
    from discosim.door.plan import plan

    output = Output(form, plot_path=plot_path)
    check_file(path, "plan file", ".json")
    output.check()
    answer = plan(
        network(model, input=input_shape),
        hardware.read(),
        nodes=nodes,
        memory=memory,
        s_comm=s_comm,
        exact_only=exact_only,
        overlap=overlap,
        **counted,
    )
    output.give(answer, (path, answer.save))
