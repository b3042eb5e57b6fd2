"""Markdown and HTML of outgoing texts as text and markup (contract §3.1, §3.2). Pure.

Lengths and places are in UTF-16 units. Tags and signs the contract does not list stay text (markdown) or are
dropped (HTML); a text without `format` goes as it is.
"""

import re
from html.parser import HTMLParser

from sandbox.max.shop import Json

INLINE = re.compile(
    r"\*\*(?P<strong>.+?)\*\*|__(?P<strong_>.+?)__|~~(?P<strikethrough>.+?)~~|\+\+(?P<underline>.+?)\+\+"
    r"|\^\^(?P<highlighted>.+?)\^\^|`(?P<monospaced>[^`]+)`|\[(?P<label>[^\]]+)\]\((?P<url>[^)\s]+)\)"
    r"|\*(?P<emphasized>[^*\s][^*]*)\*|(?<!\w)_(?P<emphasized_>[^_\s][^_]*)_(?!\w)",
    re.DOTALL,
)
LINE = re.compile(r"(?P<sign>> |#{1,6} )(?P<rest>.*)")
TAGS = {
    "b": "strong",
    "strong": "strong",
    "i": "emphasized",
    "em": "emphasized",
    "del": "strikethrough",
    "s": "strikethrough",
    "ins": "underline",
    "u": "underline",
    "pre": "monospaced",
    "code": "monospaced",
    "mark": "highlighted",
    "h1": "heading",
    "blockquote": "quote",
    "a": "link",
}
MENTION = re.compile(r"max://user/(\d+)$")


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def marked(text: str, form: str | None) -> tuple[str, tuple[Json, ...]]:
    """The text without its signs, and the markup that they meant."""
    if form == "markdown":
        paper = Paper()
        _lines(paper, text)
    elif form == "html":
        paper = _HtmlReader(text).paper
    else:
        return text, ()
    spans = sorted(paper.spans, key=lambda span: (span["from"], -span["length"]))
    return paper.text, tuple(spans)


class Paper:
    """Text that grows, with the spans written on it."""

    def __init__(self) -> None:
        self.text = ""
        self.spans: list[Json] = []

    def span(self, kind: str, start: int, address: str | None = None) -> None:
        """From `start` to here; nothing is marked where nothing is written."""
        length = units(self.text) - start
        if length:
            where = {} if address is None else _address(address)
            self.spans.append({"type": kind, "from": start, "length": length, **where})


def _address(url: str) -> Json:
    mention = MENTION.match(url)
    if mention:
        return {"type": "user_mention", "user_link": url, "user_id": int(mention[1])}
    return {"url": url}


def _lines(paper: Paper, text: str) -> None:
    for number, line in enumerate(text.split("\n")):
        paper.text += "\n" if number else ""
        start, found = units(paper.text), LINE.fullmatch(line)
        _inline(paper, found["rest"] if found else line)
        if found:
            paper.span("quote" if found["sign"] == "> " else "heading", start)


def _inline(paper: Paper, text: str) -> None:
    place = 0
    for found in INLINE.finditer(text):
        paper.text += text[place : found.start()]
        place, start = found.end(), units(paper.text)
        if found["label"]:
            _inline(paper, found["label"])
            paper.span("link", start, found["url"])
            continue
        kind = str(found.lastgroup)
        if kind == "monospaced":
            paper.text += found[kind]
        else:
            _inline(paper, found[kind])
        paper.span(kind.rstrip("_"), start)
    paper.text += text[place:]


class _HtmlReader(HTMLParser):
    """Reads one text; a tag that is never closed marks nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.paper = Paper()
        self._open: list[tuple[str, int, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.paper.text += "\n"
        elif tag in TAGS:
            address = (dict(attrs).get("href") or "") if tag == "a" else None
            self._open.append((tag, units(self.paper.text), address))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                _, start, address = self._open.pop(place)
                self.paper.span(TAGS[tag], start, address)
                return

    def handle_data(self, data: str) -> None:
        self.paper.text += data
