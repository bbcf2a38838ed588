"""The files that are put into an appliance's VM, rendered by Jinja2."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "appliance"
SUFFIX = ".j2"
#: In the folder itself lie the scripts that build; every file below it has the place that it has in the VM.
SCRIPTS = frozenset({"loader.sh", "setup.sh"})


def guest_files(**values: Any) -> Iterator[tuple[PurePosixPath, str]]:
    """Path in the VM and text of each file, in the order of their paths; a value that is missing is an error."""
    environment = _environment()
    for name in sorted(environment.list_templates(extensions=[SUFFIX[1:]])):
        path = PurePosixPath(name.removesuffix(SUFFIX))
        if str(path) not in SCRIPTS:
            yield path, environment.get_template(name).render(**values)


def script(name: str, **values: Any) -> str:
    """The text of one of the scripts that build."""
    return _environment().get_template(name + SUFFIX).render(**values)


def _environment() -> Environment:
    return Environment(  # noqa: S701 - no HTML here: configuration files and units
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
