"""Which window is asked for: the object's own, a number, a name, two numbers, automatic, none."""

from __future__ import annotations

from dataclasses import dataclass

from converter.errors import ConversionError
from converter.gray.window import LINEAR, LINEAR_EXACT, SIGMOID, Window

FILE, AUTO, NONE = "file", "auto", "none"


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """What `--window` says.

    Attributes
    ----------
    kind : str
        `"file"` (the object's own), `"auto"`, `"none"`, `"given"`, `"number"` or `"name"`.
    window : Window, optional
        With `"given"`.
    number : int
        With `"number"`: which of the object's windows, counted from 1.
    name : str
        With `"name"`: an explanation in the object, or a preset of its modality.
    """

    kind: str = FILE
    window: Window | None = None
    number: int = 1
    name: str = ""


OWN = WindowRequest()


def window_request(text: str) -> WindowRequest:
    """The request that a text stands for.

    Parameters
    ----------
    text : str
        `file`, `auto`, `none`, `2` (the second window), `lung` (an explanation or a preset), `40,400` or
        `40,400,sigmoid`.

    Raises
    ------
    ConversionError
        Where numbers make no legal window.
    """
    word = text.strip()
    if word.lower() in (FILE, AUTO, NONE):
        return WindowRequest(word.lower())
    if word.isdecimal():
        return WindowRequest("number", number=int(word))
    if "," in word:
        return WindowRequest("given", window=_given(word))
    return WindowRequest("name", name=word)


def _given(text: str) -> Window:
    center, width, *rest = (part.strip() for part in text.split(","))
    function = (rest[0] if rest else LINEAR).upper().replace("-", "_")
    try:
        window = Window(float(center), float(width), function)
    except ValueError as error:
        raise ConversionError(f"{text!r} is no window; write CENTRE,WIDTH such as 40,400") from error
    if function not in (LINEAR, LINEAR_EXACT, SIGMOID) or not window.legal:
        raise ConversionError(f"{text!r} is no legal window; LINEAR needs a width of 1 or more")
    return window
