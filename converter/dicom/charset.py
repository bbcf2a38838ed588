"""Text in the character set that (0008,0005) Specific Character Set names."""

from __future__ import annotations

from dataclasses import dataclass

# PS3.3 C.12.1.1.2, tables C.12-2 and C.12-4: defined terms without code extensions.
_SINGLE = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "iso8859_11",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}


@dataclass(frozen=True, slots=True)
class Charset:
    """The character set of a dataset: defined terms as they stand in the element."""

    terms: tuple[str, ...] = ()

    def text(self, raw: bytes) -> str:
        """The text of `raw`; bytes that mean nothing become U+FFFD and never an error.

        Names are what folders are called, so a wrong character must not stop a picture.
        """
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii")
        codec = _SINGLE.get(self.terms[0] if len(self.terms) == 1 else "?")
        if codec is None:
            return _extended(raw, self.terms) if self.terms else raw.decode("utf-8", "replace")
        return raw.decode(codec, "replace")


PLAIN = Charset()


def _extended(raw: bytes, terms: tuple[str, ...]) -> str:
    """Text with ISO 2022 escapes, by pydicom; its import costs 0.2 s and most files never need it."""
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(decode_bytes(raw, convert_encodings(list(terms)), {ord("^"), ord("="), ord("\\")}))
        except (LookupError, UnicodeError, ValueError):
            return raw.decode("ascii", "replace")
