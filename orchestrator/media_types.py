"""Pure: what a file is, by its bytes alone, and whether such files are kept."""

import re
from collections.abc import Collection

from core.capabilities import MediaKind
from core.filetypes import type_of_bytes
from core.media import SOUND_OF

_UNKNOWN = "application/octet-stream"
_TEXT = "text/plain"
#: What no text has: control characters beside tabs, line ends, form feeds and escapes.
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_LOOKED_AT = 8192


def type_by_bytes(content: bytes, kind: MediaKind) -> str:
    """The type that the bytes tell. Words are text/plain, be they HTML or SVG: nobody shall run them."""
    found = type_of_bytes(content)
    if kind == "voice":
        found = SOUND_OF.get(found, found)
    if found:
        return found
    return _UNKNOWN if _NO_TEXT.search(content[:_LOOKED_AT]) else _TEXT


def is_kept(media_type: str, patterns: Collection[str]) -> bool:
    """Whether the type is among `patterns` such as image/* and application/pdf."""
    family = f"{media_type.partition('/')[0]}/*"
    return media_type in patterns or family in patterns or "*/*" in patterns
