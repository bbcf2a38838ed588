"""DICOM in, pixels and PNG out.

Four functions make a picture, each usable alone; `converter.batch.convert` does whole folders::

    instance = converter.open("ct.dcm")
    for frame in converter.frames(instance):
        rendering = converter.render(frame)
        png = converter.encode(rendering)

They are imported when first used, so that `import converter.errors` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.encoding import encode as encode
    from converter.instance import frames as frames
    from converter.instance import open_instance as open  # noqa: A004, F401 - the name that the API has, as gzip.open
    from converter.rendering import render as render

_PLACES = {
    "open": ("converter.instance", "open_instance"),
    "frames": ("converter.instance", "frames"),
    "render": ("converter.rendering", "render"),
    "encode": ("converter.encoding", "encode"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'converter' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
