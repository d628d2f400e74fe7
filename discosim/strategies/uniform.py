"""The same for every layer: one node, dense, DISCO, its random baseline, separate branches."""

from dataclasses import replace

import numpy as np

from discosim.masks.plan import masked_plan
from discosim.partition.layout import lay_out
from discosim.partition.plan import Plan
from discosim.partition.within_layer import within_layer
from discosim.strategies.strategy import Request, strategy


@strategy(
    "disco", "each layer sends the chosen 1 - S_comm of its features (Qin et al.)", has_knob=True
)
@strategy("random-sparse", "as disco, the features chosen at random: the same cost", has_knob=True)
def disco(request: Request) -> Plan:
    """Return the plan in which every layer sends 1 - S_comm of its remote features.

    With a mask, it sends those that the mask keeps.
    """
    if request.mask is not None:
        return masked_plan(request.table, request.mask, request.conventions)
    return uniform(request)


def uniform(request: Request) -> Plan:
    """Return the plan of the request's S_comm, whatever its mask says."""
    layout = lay_out(request.table, request.nodes, request.conventions)
    return within_layer(layout, 1.0 - request.s_comm)


@strategy("dense", "all features are sent: plain model parallelism")
def dense(request: Request) -> Plan:
    """Return the plan that sends everything."""
    return uniform(replace(request, s_comm=np.zeros((1, 1))))


@strategy("branches", "nothing is sent: N independent branches (Hadidi et al.)")
def branches(request: Request) -> Plan:
    """Return the plan that sends nothing."""
    return uniform(replace(request, s_comm=np.ones((1, 1))))


@strategy("single", "one node with enough memory", nodes=1)
def single(request: Request) -> Plan:
    """Return the plan of one node that does everything."""
    return dense(replace(request, nodes=1))
