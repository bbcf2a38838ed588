"""Letters of every script: which signs stay where a text is shown, and which tell one name from another."""

from __future__ import annotations

import unicodedata

#: ZERO WIDTH NON-JOINER and JOINER, of which no page shows anything but how the letters beside them are drawn: names
#: in Malayalam, Hindi, Sinhala or Persian are written with them, and nobody sees whether they were typed.
JOINERS = "\u200c\u200d"
#: Marks of alphabets and abjads, from Latin's accents to Arabic's points, are left out by many who write. From
#: Devanagari on, a mark is a vowel or changes a consonant: ராஜா and ராஜி are two people.
_MARKS_THAT_COUNT = "\u0900"


def in_a_line(text: str, also: str = "") -> str:
    """The text with a space for each sign that no page or terminal shows, but for joiners and what is named `also`."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in JOINERS or sign in also else " " for sign in text)


def tells_names_apart(sign: str) -> bool:
    """Whether a sign of a name makes it another name; the name is decomposed (NFKD)."""
    return sign not in JOINERS and (sign >= _MARKS_THAT_COUNT or not unicodedata.combining(sign))
