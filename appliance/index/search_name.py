"""A Patient's Name as it is searched: the same for all who write it with other capitals, accents or commas."""

from __future__ import annotations

import unicodedata

from converter.letters import tells_names_apart

#: Components and groups of a name (PS3.5 6.2.1), and the comma that our pages write between them.
_BETWEEN = str.maketrans("^=,", "   ")


def search_name(name: str) -> str:
    """A name's words, a space between them; what is sought is written the same way, and found as a part of it."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()).translate(_BETWEEN)
    letters = "".join(filter(tells_names_apart, plain))
    return " ".join(unicodedata.normalize("NFC", letters).split())
