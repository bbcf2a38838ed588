"""Every command of the tree, and words that let it begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.main import gurney

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(
    group: click.Group = gurney, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command that is no group, by the words that name it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


def having(option: str) -> list[tuple[str, ...]]:
    """The names of the commands that have an option."""
    return [name for name, command in commands() if any(option in each.opts for each in command.params)]


def least(name: tuple[str, ...], word: str = "erode") -> list[str]:
    """A command with a word for everything that it cannot do without."""
    command = dict(commands())[name]
    needed = [each for each in command.params if each.required or (isinstance(each, click.Argument) and each.nargs < 0)]
    options = [text for each in needed if isinstance(each, click.Option) for text in (each.opts[0], word)]
    return [*name, *options, *(word for each in needed if isinstance(each, click.Argument))]
