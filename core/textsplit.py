"""Cutting a long text into messages: where a reader would pause, and never through an emoji."""

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

from core.capabilities import Unit

#: The longest code point takes four bytes.
SHORTEST_LIMIT = 4

_SPACE = re.compile(r"\s+")
_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\u2028\u2029]")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'»”’)\]}]{0,3}$")

_WORD, _SENTENCE, _LINE, _PARAGRAPH = range(4)

_ZWJ = 0x200D
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)


def split_text(text: str, limit: int, unit: Unit = "characters") -> list[str]:
    """Pieces in order, each within `limit`; only whitespace at the cuts and the ends is dropped.

    A text that fits is one piece; an empty one is none. A grapheme longer than the limit is cut after all.
    """
    if limit < SHORTEST_LIMIT:
        raise ValueError(f"a limit of {limit} cannot hold every character")
    pieces = []
    rest = text.strip()
    while rest:
        piece = rest[: _cut(rest, limit, unit)]
        pieces.append(piece.rstrip())
        rest = rest[len(piece) :].lstrip()
    return pieces


def _cut(text: str, limit: int, unit: Unit) -> int:
    """How many characters of `text` make the next piece."""
    width = text_width(text, unit)
    if width <= limit:
        return len(text)
    ends = _grapheme_ends(text, limit, unit)
    if not ends:
        return _code_points(text, limit, unit)
    fullest = ends[-1]
    messages = math.ceil(width / limit)
    if messages == 2:
        ends = _leaving_more_than_crumbs(ends, len(text), fullest)
    return _best_pause(text, ends, fewest=fullest - (messages * limit - width) * fullest // limit)


def _best_pause(text: str, ends: list[int], *, fewest: int) -> int:
    """The last pause after which the rest needs no further message; else any in the second half."""
    half = ends[-1] // 2
    pauses = list(_pauses(text, ends))
    for rank, earliest in (
        (_PARAGRAPH, max(fewest, half)),
        (_LINE, max(fewest, half)),
        (_SENTENCE, max(fewest, half)),
        (_SENTENCE, half),
        (_WORD, 1),
    ):
        found = [end for end, weight in pauses if weight >= rank and end >= earliest]
        if found:
            return found[-1]
    return ends[-1]


def _pauses(text: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """Where words end before whitespace, and how much of a pause that is."""
    allowed = set(ends)
    for space in _SPACE.finditer(text, 0, ends[-1] + 1):
        if space.start() in allowed and not _joins(ord(text[space.end()])):
            yield space.start(), _weight(space[0], text[max(0, space.start() - 4) : space.start()])


def _weight(space: str, before: str) -> int:
    breaks = len(_LINE_BREAK.findall(space))
    if breaks:
        return _PARAGRAPH if breaks > 1 else _LINE
    return _SENTENCE if _SENTENCE_END.search(before) else _WORD


def _leaving_more_than_crumbs(ends: list[int], length: int, fullest: int) -> list[int]:
    """Cuts that leave at least a tenth of a message for the last one."""
    return ends[: bisect_right(ends, length - fullest // 10)] or ends


def _grapheme_ends(text: str, limit: int, unit: Unit) -> list[int]:
    """Where graphemes end, as far as they fit into the limit."""
    ends: list[int] = []
    start = width = 0
    for end in _graphemes(text):
        width += text_width(text[start:end], unit)
        if width > limit:
            break
        ends.append(end)
        start = end
    return ends


def _graphemes(text: str) -> Iterator[int]:
    """The end of each grapheme cluster: UAX 29 as far as the standard library's tables reach."""
    flag_letters = 0
    for index in range(1, len(text)):
        before, here = ord(text[index - 1]), ord(text[index])
        flag_letters = flag_letters + 1 if before in _FLAG_LETTERS else 0
        second_flag_letter = flag_letters % 2 == 1 and here in _FLAG_LETTERS
        if not (_joins(here) or before == _ZWJ or second_flag_letter or (before == 13 and here == 10)):
            yield index
    yield len(text)


def _joins(code_point: int) -> bool:
    """Whether the character belongs to the one before it."""
    if code_point < 0x300:
        return False
    if code_point == _ZWJ or code_point in _SKIN_TONES or code_point in _TAGS:
        return True
    return unicodedata.category(chr(code_point)).startswith("M")


def _code_points(text: str, limit: int, unit: Unit) -> int:
    """How many whole code points fit: the last resort for a grapheme longer than a message."""
    width = 0
    for index, character in enumerate(text):
        width += text_width(character, unit)
        if width > limit:
            return index
    return len(text)


def text_width(text: str, unit: Unit) -> int:
    """How long a text is for a vendor that counts in `unit`."""
    if unit == "characters":
        return len(text)
    if unit == "utf16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))
