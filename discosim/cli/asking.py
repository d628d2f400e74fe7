"""How a command shows its help: an example first, options in groups, S_comm in words, a page."""

from collections.abc import Sequence
from typing import Any

import click
from click.formatting import wrap_text

S_COMM = (
    "S_comm is the fraction of the other nodes' features that a layer does without: at 0 all is "
    "sent and the result is exact, at 1 nothing is and the nodes are independent branches. Over 0 "
    "the network has to be trained for it."
)

GROUPS = ("Network", "What is asked", "Cluster", "What is counted", "Output")


class GroupedOption(click.Option):
    """An option and the heading that it stands under."""

    def __init__(self, *args: Any, group: str = "", **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.group = group


class Asking(click.Command):
    """A command that answers a question; `page` of the docs tells more."""

    def __init__(self, *args: Any, page: str = "", **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.page = page

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, examples, what it does, the options by group, and the page."""
        self.format_usage(ctx, formatter)
        text, _, examples = (self.help or "").partition("\b\n")
        if examples:
            with formatter.section("Examples"):
                for line in examples.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
        if any("--s-comm" in option.opts for option in options):
            paragraphs.append(S_COMM)
        for paragraph in paragraphs:
            _say(formatter, paragraph)
        self._write_groups(ctx, formatter, options)
        if self.page:
            _say(formatter, f"More: docs/{self.page}")

    def _write_groups(
        self, ctx: click.Context, formatter: click.HelpFormatter, options: Sequence[click.Option]
    ) -> None:
        for group in (*GROUPS, ""):
            mine = [each for each in options if getattr(each, "group", "") == group]
            records = [record for each in mine if (record := each.get_help_record(ctx))]
            if records:
                with formatter.section(group or "Help"):
                    formatter.write_dl(records)


def _say(formatter: click.HelpFormatter, text: str) -> None:
    """Write a paragraph below an empty line."""
    formatter.write_paragraph()
    formatter.write(f"{wrap_text(text, formatter.width)}\n")
