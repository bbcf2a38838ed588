"""An HTML page that stands alone: no script, nothing fetched, everything from the file escaped."""

from __future__ import annotations

from html import escape

# A browser that opens the page may show its text and its style, and nothing else.
_HEAD = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff }}
dt {{ font-weight: bold }} dd {{ white-space: pre-line }} section {{ margin-left: 1em }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #999; padding: .2em .5em }}
footer {{ margin-top: 2em; color: #555; font-size: 80% }}
</style>
</head>
<body>
<h1>{title}</h1>
"""


def page(title: str, body: str, *, language: str = "en") -> bytes:
    """A whole page.

    Parameters
    ----------
    title : str
        Plain text; it is escaped here.
    body : str
        HTML whose text is escaped already.
    """
    head = _HEAD.format(title=escape(title), language=escape(language))
    return f"{head}{body}\n<footer>Made by Gurney from DICOM; not for diagnosis.</footer>\n</body>\n</html>\n".encode()


def element(name: str, text: str) -> str:
    """An element around plain text, which is escaped; empty where there is no text."""
    return f"<{name}>{escape(text)}</{name}>\n" if text else ""


def definitions(pairs: list[tuple[str, str]]) -> str:
    """A list of terms and what they are; those without a value are left out."""
    rows = "".join(element("dt", term) + element("dd", value) for term, value in pairs if value)
    return f"<dl>\n{rows}</dl>\n" if rows else ""
