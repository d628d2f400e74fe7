"""A command: its options, read; the function of the door, called; its answer, given."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from inspect import signature
from typing import Any, cast

import click

from discosim.cli.options import Option, To
from discosim.cli.output import Output, wrote
from discosim.door.cluster import cluster
from discosim.door.given import ALL, DEFAULT
from discosim.door.hardware import Every, Overrides, hardware
from discosim.door.hearing import by_default, note, progress
from discosim.door.network import network
from discosim.files import check_file
from discosim.networks import NETWORKS

Command = Callable[..., Any]
NAMED = "named"
"""The argument that is a network."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a function of the door: the options and their values, by keyword."""

    function: Callable[..., Any]
    options: tuple[Option, ...]
    values: dict[str, Any]

    @cached_property
    def output(self) -> Output:
        """Where the answer goes."""
        return Output(**self.given(To.OUTPUT))

    def given(self, to: To) -> dict[str, Any]:
        """Return, by keyword, the values that are given and go there."""
        mine = ((each.keyword, self.values[each.keyword]) for each in self.options if each.to is to)
        return {keyword: value for keyword, value in mine if value is not None}

    def check(self) -> None:
        """Raise DiscosimError, before any work is done, for what cannot be written."""
        for each in self.options:
            if each.to is To.FILE:
                check_file(self.values[each.keyword], each.what, *each.suffixes)
        self.output.check()

    def answer(self) -> Any:
        """Return what the function of the door answers; raises DiscosimError."""
        keywords = {**self._network(), **self._hardware(), **self.given(To.CALL)}
        answer = self.function(**keywords)
        named = [self.values.get(name, "") for name in ("hw", "cluster")]
        if "hardware" in keywords and named[0] is None and named[1] in (None, ""):
            note(by_default(DEFAULT))
        return answer

    def give(self, answer: Any) -> None:
        """Write an answer, its further files and its picture."""
        self.output.write(answer)
        for keyword, path in self.given(To.FILE).items():
            getattr(answer, keyword)(path)
            wrote(path)
        self.output.draw(answer)
        self.output.hand_on(answer)

    def _network(self) -> dict[str, Any]:
        """The network, or the networks, by name or all of them."""
        values = self.given(To.NETWORK)
        if "network" not in values:
            return {}
        named, size = values["network"], values.get("input")
        names = [named] if isinstance(named, str) else list(NETWORKS if named == [ALL] else named)
        found = []
        with progress("reading") as shown:
            for done, name in enumerate(names):
                shown(done, len(names), name)
                found.append(network(name, input=size))
        return {"network": found[0] if isinstance(named, str) else found}

    def _hardware(self) -> dict[str, Any]:
        """Each profile that is named, in each data type; all of them where networks may be all."""
        changes = self.given(To.HARDWARE)
        if not changes:
            return {}
        named, text, shares = (changes.pop(name, None) for name in ("hw", "cluster", "shares"))
        names, dtype = named or [DEFAULT], changes.pop("dtype")
        changes["settings"] = dict(changes["settings"])
        dtypes = dtype if isinstance(dtype, list) else [dtype]
        each = [cast("Overrides", {**changes, "dtype": name}) for name in dtypes]
        if text is not None:
            if named is not None:
                raise click.UsageError(
                    "give --hw or --cluster: kinds of node to choose from, or nodes that are one"
                )
            return {"hardware": [cluster(text, shares=shares, **of) for of in each]}
        if shares is not None:
            note("--shares has no effect: it is of --cluster")
        if names == [ALL] and isinstance(self.values["network"], list):
            every = [Every(of) for of in each]
            return {"hardware": every if len(every) > 1 else every[0]}
        # a profile that is named again is the same one
        kinds = [{name: hardware(name, **of) for name in dict.fromkeys(names)} for of in each]
        return {"hardware": [found[name] for found in kinds for name in names]}


def asks(function: Callable[..., Any], *options: Option) -> Callable[[Command], Command]:
    """Return a decorator: the command is called with what is asked of a function of the door.

    An option has the default of the function's own keyword, where that has one.
    """
    keywords = signature(function).parameters
    model = next((each for each in options if each.keyword == "network"), None)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(*args: Any, **values: Any) -> Any:
            if model is not None:
                values["network"] = _one_network(model, values.pop(NAMED), values["network"])
            asked = Asked(function, options, {o.keyword: values.pop(o.keyword) for o in options})
            asked.check()
            return command(asked, *args, **values)

        if model is not None:
            click.argument(
                NAMED,
                required=False,
                metavar="[NETWORK]",
                type=model.type,
                shell_complete=model.complete,
            )(called)
        for option in reversed(options):
            known = keywords.get(option.keyword) if option.to is To.CALL else None
            option.add(called, None if known is None else known.default)
        return called

    return decorate


def _one_network(model: Option, named: Any, optional: Any) -> Any:
    """The network as an argument or with --model; raises click.UsageError for both and neither."""
    if named is None:
        if model.required and not optional:
            raise click.UsageError("no network; wanted its name, as resnet50, or --model resnet50")
        return optional
    if optional:
        raise click.UsageError(f"two networks; give {named} or --model")
    return (named,) if model.multiple else named
