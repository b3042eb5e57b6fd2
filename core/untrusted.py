"""Others' words are data for the model, never instructions: cleaned of invisible characters and cut.

Where they stand in a structure their field's name ends in _untrusted; where they stand in a sentence of ours
(an error) they are quoted, on one line.
"""

import re
import unicodedata
from typing import Any

SUFFIX = "_untrusted"
TEXT_LIMIT = 4_000

#: No format characters by category, and yet without a shape: of Unicode's Default_Ignorable_Code_Point.
_IGNORABLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFFC)}
    | set(range(0xE0000, 0xE1000))  # tag characters: an alphabet that people cannot see; selectors
)
#: Format characters that do have a shape: signs of Arabic, Syriac and Kaithi numbers.
_WITH_A_SHAPE = frozenset({*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD})
_JOINER, _NON_JOINER = 0x200D, 0x200C
_SELECTORS = (0xFE0E, 0xFE0F)
_SELECTED = frozenset("0123456789#*©®ℹ〰")
_TAGS = "".join(map(chr, range(0xE0020, 0xE0080)))
#: The flags of England, Scotland and Wales are the only ones that are written in tag characters.
_TAGGED_FLAGS = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_FLAG = re.compile(f"({'|'.join(_TAGGED_FLAGS)})")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text without characters that only a machine sees; emoji families and flags stay whole."""
    kept: list[str] = []
    for piece in _FLAG.split(text):
        if piece in _TAGGED_FLAGS:
            kept.append(piece)
            continue
        for character in piece:
            if _shown(character, kept[-1][-1] if kept else ""):
                kept.append(character)
    cleaned = "".join(kept).strip()
    return cleaned if len(cleaned) <= limit else _cut(cleaned, limit)


def _cut(text: str, limit: int) -> str:
    """The beginning and how long the whole is, within the limit; no half of a flag or family at the cut."""
    mark = f" …[cut, {len(text)} characters in all]"
    beginning = text[: max(0, limit - len(mark))]
    return beginning.rstrip(chr(_JOINER) + chr(_NON_JOINER) + _TAGS) + mark


def one_line(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text cleaned and without line ends: it cannot look like a second error, or line of a log."""
    return clean(" ".join(text.split()), limit)


def quoted(words: str) -> str:
    """Somebody else's words within a sentence of ours; a quotation mark of theirs does not end them."""
    return f"“{one_line(words).replace('“', '‘').replace('”', '’')}”"


def clean_fields(value: Any, limit: int = TEXT_LIMIT) -> Any:
    """A copy of a JSON value in which every field named …_untrusted has been cleaned."""
    if isinstance(value, dict):
        return {key: _field(key, item, limit) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_fields(item, limit) for item in value]
    return value


def _field(key: str, item: Any, limit: int) -> Any:
    if not key.endswith(SUFFIX):
        return clean_fields(item, limit)
    if isinstance(item, list):
        return [_field(key, each, limit) for each in item]
    if isinstance(item, dict):
        return {name: _field(key, each, limit) for name, each in item.items()}
    return clean(item, limit) if isinstance(item, str) else item


def _shown(character: str, previous: str) -> bool:
    code, category = ord(character), unicodedata.category(character)
    if code in (_JOINER, _NON_JOINER, *_SELECTORS):
        return bool(previous) and _joins(code, previous)
    if category == "Cc":
        return character in "\n\t"
    return code in _WITH_A_SHAPE or not (category in ("Cf", "Cs") or code in _IGNORABLE)


def _joins(code: int, previous: str) -> bool:
    category = unicodedata.category(previous)
    if code in _SELECTORS:
        return category in ("So", "Sk", "Sm", "Po") or previous in _SELECTED
    if code == _JOINER:
        return ord(previous) == _SELECTORS[1] or category in ("So", "Sk", "Lo", "Mn")
    return category == "Lo"
