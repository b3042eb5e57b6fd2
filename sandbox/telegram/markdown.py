"""The two Markdown dialects (contract §5); what MarkdownV2 must escape is the contract's, the rest memory."""

import re
from typing import Any

from sandbox.telegram.formatting import Formatted, FormattingError, byte_offset

RESERVED = "_*[]()~`>#+-=|{}.!"
_DELIMITERS = {
    "||": "spoiler",
    "__": "underline",
    "*": "bold",
    "_": "italic",
    "~": "strikethrough",
}
_LINK_END = re.compile(r"\]\(((?:\\.|[^)\\])*)\)", re.DOTALL)
_CODE = re.compile(r"```(?:(\w+)\n)?((?:\\.|[^\\])*?)```|`((?:\\.|[^`\\])*)`", re.DOTALL)
_ESCAPED = re.compile(r"\\([\x01-\x7e])")
_LEGACY = {"*": "bold", "_": "italic"}


class _Reader:
    """Walks over MarkdownV2 once; `open` holds the marks that wait for their end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.formatted = Formatted()
        self.open: list[tuple[str, int, int]] = []

    def read(self) -> tuple[str, list[dict[str, Any]]]:
        while self.place < len(self.text):
            if not (self._escaped() or self._code() or self._quote() or self._link() or self._delimiter()):
                self._plain()
        if self.open:
            mark, _, place = self.open[-1]
            raise FormattingError(
                f"Can't find end of {_title(mark)} entity at byte offset {byte_offset(self.text, place)}"
            )
        return self.formatted.finished()

    def _escaped(self) -> bool:
        found = _ESCAPED.match(self.text, self.place)
        if found:
            self.formatted.add(found[1])
            self.place = found.end()
        return found is not None

    def _code(self) -> bool:
        found = _CODE.match(self.text, self.place)
        if found is None:
            return False
        start = self.formatted.units
        block = found[2] is not None
        self.formatted.add(_ESCAPED.sub(r"\1", found[2] if block else found[3]))
        self.formatted.mark("pre" if block else "code", start, **({"language": found[1]} if found[1] else {}))
        self.place = found.end()
        return True

    def _quote(self) -> bool:
        """`>` at the start of a line quotes that line."""
        if self.text[self.place] != ">" or (self.place and self.text[self.place - 1] != "\n"):
            return False
        end = self.text.find("\n", self.place)
        line = self.text[self.place + 1 : len(self.text) if end < 0 else end]
        inner, entities = _Reader(line).read()
        start = self.formatted.units
        self.formatted.add(inner)
        self.formatted.mark("blockquote", start)
        moved = [{**entity, "offset": entity["offset"] + start} for entity in entities]
        self.formatted.entities += moved
        self.place += 1 + len(line)
        return True

    def _link(self) -> bool:
        if self.text[self.place] == "[":
            self.open.append(("[", self.formatted.units, self.place))
            self.place += 1
            return True
        if self.text[self.place] != "]" or not self.open or self.open[-1][0] != "[":
            return False
        found = _LINK_END.match(self.text, self.place)
        if found is None:
            raise FormattingError(
                f"Can't find end of a URL at byte offset {byte_offset(self.text, self.place)}"
            )
        self.formatted.mark("text_link", self.open.pop()[1], url=_ESCAPED.sub(r"\1", found[1]))
        self.place = found.end()
        return True

    def _delimiter(self) -> bool:
        mark = next((known for known in _DELIMITERS if self.text.startswith(known, self.place)), None)
        if mark is None:
            return False
        if self.open and self.open[-1][0] == mark:
            self.formatted.mark(_DELIMITERS[mark], self.open.pop()[1])
        else:
            self.open.append((mark, self.formatted.units, self.place))
        self.place += len(mark)
        return True

    def _plain(self) -> None:
        character = self.text[self.place]
        if character in RESERVED:
            raise FormattingError(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )
        self.formatted.add(character)
        self.place += 1


def markdown_v2(text: str) -> tuple[str, list[dict[str, Any]]]:
    return _Reader(text).read()


def markdown(text: str) -> tuple[str, list[dict[str, Any]]]:
    """The old dialect: nothing nests, and only a mark without its end is an error."""
    formatted, place = Formatted(), 0
    while place < len(text):
        character = text[place]
        if character == "\\" and text[place + 1 : place + 2] in set("_*`["):
            formatted.add(text[place + 1])
            place += 2
        elif character in "*_`[":
            place = _legacy_entity(formatted, text, place)
        else:
            formatted.add(character)
            place += 1
    return formatted.finished()


def _legacy_entity(formatted: Formatted, text: str, place: int) -> int:
    """Add the entity that begins here; where it ends."""
    start, mark = formatted.units, text[place]
    if text.startswith("```", place):
        mark = "```"
    end = text.find("](" if mark == "[" else mark, place + len(mark))
    close = text.find(")", end) if mark == "[" and end >= 0 else end
    if end < 0 or close < 0:
        offset = byte_offset(text, place)
        raise FormattingError(f"Can't find end of the entity starting at byte offset {offset}")
    formatted.add(text[place + len(mark) : end])
    if mark == "[":
        formatted.mark("text_link", start, url=text[end + 2 : close])
        return close + 1
    formatted.mark({"```": "pre", "`": "code"}.get(mark) or _LEGACY[mark], start)
    return end + len(mark)


def _title(mark: str) -> str:
    return _DELIMITERS.get(mark, "text link").capitalize()
