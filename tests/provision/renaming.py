"""The example, with a branch that is called otherwise."""

from __future__ import annotations


def called(text: str, name: str, was: str = "erode") -> str:
    """The example, with its first branch called otherwise."""
    entry = f"  {name}:\n    was: {was}\n" if was else f"  {name}:\n"
    text = text.replace("  erode:\n", entry, 1).replace("from: erode", f"from: {name}")
    return text.replace("[erode", f"[{name}")
