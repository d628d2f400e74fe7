"""Which parameters each row reads, so that those of several rows are in memory once."""

from collections import Counter
from collections.abc import Mapping
from math import prod

from discosim.graph.builder import Builder
from discosim.importers.lowering.program import Constant


class ParameterUses:
    """The parameters of the rows that are written into `net`, by their names in the program."""

    net: Builder

    def __init__(self) -> None:
        self._weights: dict[str, str] = {}  # by row, the parameter that its kernel or matrix is
        self._held: dict[str, dict[str, int]] = {}  # by row, those among its biases

    def has_weight(self, row: str, weight: Constant) -> None:
        """Say which parameter the kernel or matrix of a row is, whole, or is computed from."""
        counts = list(weight.parameters.values())
        if len(counts) > 1 or counts == [prod(weight.shape)]:
            self._weights[row] = "+".join(sorted(weight.parameters))

    def has_bias(self, row: str, bias: Constant | None) -> None:
        """Say which parameter is among the biases of a row."""
        if bias is not None and len(bias.parameters) == 1:
            self.reads(row, bias.parameters)

    def reads(self, row: str, parameters: Mapping[str, int]) -> None:
        """Say which parameters a row reads feature by feature."""
        self._held.setdefault(row, {}).update(parameters)

    def name_shared(self) -> None:
        """Write down, at the rows, the parameters that more than one of them reads."""
        users = Counter(self._weights.values())
        users.update(name for held in self._held.values() for name in held)
        for row, name in self._weights.items():
            if users[name] > 1:
                self.net.amend(row, weight=name)
        for row, parameters in self._held.items():
            shared = tuple((name, n) for name, n in parameters.items() if users[name] > 1)
            if shared and sum(n for _, n in shared) <= self.net.layer(row).biases:
                self.net.amend(row, held=shared)
