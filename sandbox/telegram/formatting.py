"""Text with marks becomes plain text and entities, counted in UTF-16 units (contract §4, §5).

Which tags exist and how the errors go on is from memory; the contract gives "can't parse entities: ..."
with a byte offset.
"""

import re
from dataclasses import dataclass, field
from typing import Any

HTML_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)([^<>]*)>")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(lt|gt|amp|quot));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_FOUND = {
    "bot_command": re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,32}"),
    "url": re.compile(r"https?://[^\s<>]+"),
    "email": re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}"),
    "mention": re.compile(r"(?<!\S)@[A-Za-z]\w{3,31}"),
}


class FormattingError(Exception):
    """The marks cannot be read; the text says why and where."""


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def byte_offset(text: str, place: int) -> int:
    return len(text[:place].encode("utf-8", "surrogatepass"))


@dataclass(slots=True)
class Formatted:
    """Plain text that grows, and the entities in it."""

    parts: list[str] = field(default_factory=list)
    units: int = 0
    entities: list[dict[str, Any]] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.units += utf16(text)

    def mark(self, kind: str, start: int, **facts: str) -> None:
        """Everything since `start` is of this kind; nothing is marked where nothing was said."""
        if self.units > start:
            self.entities.append({"offset": start, "length": self.units - start, "type": kind, **facts})

    def finished(self) -> tuple[str, list[dict[str, Any]]]:
        ordered = sorted(self.entities, key=lambda entity: (entity["offset"], -entity["length"]))
        return "".join(self.parts), ordered


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    start: int
    facts: dict[str, str]


def html(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Telegram's HTML: few tags, four named references."""
    formatted, place, open_tags = Formatted(), 0, list[_Open]()
    while (at := text.find("<", place)) >= 0:
        formatted.add(_unescaped(text[place:at]))
        found = _TAG.match(text, at)
        name = found[2].lower() if found else ""
        if found is None or name not in HTML_TAGS:
            raise FormattingError(f'Unsupported start tag "{name}" at byte offset {byte_offset(text, at)}')
        if found[1]:
            _close(formatted, open_tags, name, byte_offset(text, at))
        else:
            open_tags.append(_Open(name, formatted.units, _facts(name, found[3])))
        place = found.end()
    formatted.add(_unescaped(text[place:]))
    if open_tags:
        raise FormattingError(f'Can\'t find end tag corresponding to start tag "{open_tags[-1].tag}"')
    return formatted.finished()


def _close(formatted: Formatted, open_tags: list[_Open], name: str, offset: int) -> None:
    if not open_tags:
        raise FormattingError(f"Unexpected end tag at byte offset {offset}")
    last = open_tags.pop()
    if last.tag != name:
        raise FormattingError(
            f'Unmatched end tag at byte offset {offset}, expected "</{last.tag}>", found "</{name}>"'
        )
    if name == "code" and open_tags and open_tags[-1].tag == "pre" and "language" in last.facts:
        open_tags[-1].facts.update(last.facts)
        return
    if name == "a" and "url" not in last.facts:
        return
    facts = last.facts if name in {"a", "pre", "tg-emoji"} else {}
    formatted.mark(HTML_TAGS[name], last.start, **facts)


def _facts(name: str, attributes: str) -> dict[str, str]:
    given = {m[1].lower(): _unescaped(m[2] or m[3] or "") for m in _ATTRIBUTE.finditer(attributes)}
    if name == "a" and given.get("href"):
        return {"url": given["href"]}
    if name == "code" and given.get("class", "").startswith("language-"):
        return {"language": given["class"].removeprefix("language-")}
    return {"custom_emoji_id": given["emoji-id"]} if name == "tg-emoji" and "emoji-id" in given else {}


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[3]:
            return _NAMED[found[3]]
        number = int(found[1]) if found[1] else int(found[2], 16)
        return chr(number) if 0 < number < 0xD800 or 0xDFFF < number < 0x110000 else found[0]

    return _REFERENCE.sub(character, text)


def found_entities(text: str) -> list[dict[str, Any]]:
    """What Telegram marks by itself: commands, links, addresses, names."""
    found = [
        {"offset": utf16(text[: match.start()]), "length": utf16(match[0]), "type": kind}
        for kind, pattern in _FOUND.items()
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda entity: int(str(entity["offset"])))
