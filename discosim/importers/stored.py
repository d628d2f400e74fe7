"""The data type of a network: what its features and its weights are stored as, and what to say."""

from collections.abc import Collection, Mapping

from discosim.graph.counts import COSTED

STATIC = frozenset(("QLinearConv", "QLinearMatMul", "QuantizeLinear"))
DYNAMIC = frozenset(("MatMulInteger", "ConvInteger", "DynamicQuantizeLinear"))
WHOLE = ("int8", "int16", "int4")
NARROW = (*WHOLE, "fp8", "fp4")


def as_stored(
    kinds: Mapping[str, int], features: Mapping[str, int], ops: Collection[str]
) -> tuple[str, tuple[str, ...]]:
    """Return the data type of the features, and what has to be told of them and of the weights.

    kinds: elements of weights by data type; features: those of all tensors that are computed, not
    what enters, which may be cast first. Features are of few bits where activations are quantised
    for good; where each layer quantises and dequantises its own (dynamic quantisation), or weights
    alone are quantised, they stay floats.
    """
    if STATIC & set(ops):
        narrow = {kind: n for kind, n in features.items() if kind in NARROW}
        return _most(narrow, "int8"), ()
    floats = {kind: n for kind, n in kinds.items() if kind not in WHOLE}
    made = {kind: n for kind, n in features.items() if kind not in WHOLE}
    dtype = _most(made, _most(floats, "fp32"))
    notes = []
    others = sum(made.values()) - made.get(dtype, 0)
    if others * 100 >= sum(made.values()) > 0:
        parts = ", ".join(f"{n:,} in {kind}" for kind, n in sorted(made.items()))
        notes.append(f"its features are {parts} (elements of all tensors): costed in one data type")
    narrow = {kind: n for kind, n in kinds.items() if kind != dtype and n > 1}
    total = sum(kinds.values())
    if narrow and max(narrow.values()) * 100 >= total:
        parts = ", ".join(f"{n:,} in {kind}" for kind, n in sorted(narrow.items()))
        how = " and quantises features layer by layer" * bool(DYNAMIC & set(ops))
        weights = _most(narrow, dtype)
        give = (
            f"give --weight-dtype {weights}"
            if weights in COSTED
            else "no --weight-dtype stands for it"
        )
        notes.append(
            f"it stores {parts} of {total:,} elements of weights{how}, its features are {dtype}: "
            f"weights are costed in the data type of the features; {give}"
        )
    return ("" if dtype == "fp32" else dtype), tuple(notes)


def _most(elems: Mapping[str, int], otherwise: str) -> str:
    """The data type of most elements."""
    return max(elems, key=lambda kind: elems[kind], default=otherwise)
