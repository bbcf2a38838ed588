"""A group of commands whose help says a whole sentence of each."""

from __future__ import annotations

import click

#: Longer than any first sentence: click would cut them where a line ends.
WHOLE = 1000


class Group(click.Group):
    """As click's, with whole sentences."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(WHOLE)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
