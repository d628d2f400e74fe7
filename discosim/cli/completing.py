"""What a shell completes: names after the last comma, and files."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def completing(names: Callable[[], Iterable[str]], *, files: bool = False) -> Complete:
    """Return what click asks when a shell completes an option: `names`, and files."""

    def complete(
        _ctx: click.Context, _param: click.Parameter, begun: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        before, comma, last = begun.rpartition(",")
        near = [name for name in names() if name.lower().startswith(last.lower())]
        found = [CompletionItem(before + comma + name) for name in near]
        return found + [CompletionItem(begun, type="file")] * (files and not found)

    return complete


def networks() -> Iterable[str]:
    """Return the names of the networks."""
    from discosim.networks import NETWORKS

    return NETWORKS


def profiles() -> Iterable[str]:
    """Return the names of the profiles."""
    from discosim.hardware import profile_names

    return profile_names()


def strategies() -> Iterable[str]:
    """Return the names of the strategies."""
    from discosim.strategies.strategy import STRATEGIES

    return STRATEGIES


def nothing() -> Iterable[str]:
    """Return no names: files alone."""
    return ()
