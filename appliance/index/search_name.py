"""A Patient's Name as it is searched: the same for all who write it with other capitals, accents or commas."""

from __future__ import annotations

import unicodedata

#: Accents of alphabets and points of abjads are left out by many who type a name. From Devanagari on, a mark is a vowel
#: or changes a consonant: ராஜா and ராஜி are two names.
_MARKS_THAT_COUNT = "\u0900"
#: ZERO WIDTH NON-JOINER and JOINER: nobody sees whether they were typed.
_JOINERS = "\u200c\u200d"
#: Components and groups of a name (PS3.5 6.2.1), and the comma that our pages write between them.
_BETWEEN = str.maketrans("^=,", "   ", _JOINERS)


def search_name(name: str) -> str:
    """A name's words, a space between them; what is sought is written the same way, and found as a part of it."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()).translate(_BETWEEN)
    letters = "".join(letter for letter in plain if letter >= _MARKS_THAT_COUNT or not unicodedata.combining(letter))
    return " ".join(unicodedata.normalize("NFC", letters).split())
