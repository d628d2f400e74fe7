"""The same for every layer: one node, dense, DISCO, its random baseline, separate branches."""

from dataclasses import replace
from typing import TYPE_CHECKING

from discosim.masks.plan import masked_plan
from discosim.partition.layout import lay_out
from discosim.partition.plan import Plan
from discosim.partition.within_layer import within_layer
from discosim.strategies.by_layer import planned
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


@strategy(
    "disco", "each layer sends the chosen 1 - S_comm of its features (Qin et al.)", has_knob=True
)
@strategy("random-sparse", "as disco, the features chosen at random: the same cost", has_knob=True)
def disco(given: "Configuration") -> Plan:
    """Return the plan in which every layer sends 1 - S_comm of its remote features.

    With a mask, it sends those that the mask keeps; with a plan file of version 2, each layer is
    split as the file says.
    """
    if given.plan_file is not None and given.plan_file.splits:
        return planned(given, given.plan_file)
    if given.mask is not None:
        return masked_plan(given.table, given.mask, given.conventions)
    return uniform(given)


def uniform(given: "Configuration") -> Plan:
    """Return the plan of the S_comm that is given, whatever a mask says."""
    layout = lay_out(given.table, given.nodes, given.conventions)
    return within_layer(layout, 1.0 - given.knob)


@strategy("dense", "all features are sent: plain model parallelism", exact=True)
def dense(given: "Configuration") -> Plan:
    """Return the plan that sends everything."""
    return uniform(replace(given, s_comm=0.0))


@strategy("branches", "nothing is sent: N independent branches (Hadidi et al.)")
def branches(given: "Configuration") -> Plan:
    """Return the plan that sends nothing."""
    return uniform(replace(given, s_comm=1.0))


@strategy("single", "one node with enough memory", nodes=1, exact=True, split="whole")
def single(given: "Configuration") -> Plan:
    """Return the plan of one node that does everything."""
    return dense(replace(given, nodes=1))
