"""Customers' words are data for the model, never instructions: cleaned of invisible characters and cut."""

import unicodedata
from typing import Any

SUFFIX = "_untrusted"
TEXT_LIMIT = 4_000

_INVISIBLE = frozenset(
    {0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF}
    | set(range(0x202A, 0x202F))  # direction overrides
    | set(range(0x2060, 0x2065))
    | set(range(0x2066, 0x206A))
    | set(range(0xFFF9, 0xFFFC))
    | set(range(0xE0000, 0xE0080))  # tag characters: an alphabet that people cannot see
    | set(range(0xE0100, 0xE01F0))
)
_JOINER, _NON_JOINER, _SELECTOR = 0x200D, 0x200C, 0xFE0F
_SELECTED = frozenset("0123456789#*©®")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text without characters that only a machine sees; emoji families and flags stay whole."""
    kept: list[str] = []
    for character in text:
        if _shown(character, kept[-1] if kept else ""):
            kept.append(character)
    cleaned = "".join(kept).strip()
    return cleaned if len(cleaned) <= limit else f"{cleaned[:limit]} …[cut, {len(cleaned)} characters in all]"


def clean_fields(value: Any) -> Any:
    """A copy of a JSON value in which every field named …_untrusted has been cleaned."""
    if isinstance(value, dict):
        return {key: _field(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_fields(item) for item in value]
    return value


def _field(key: str, item: Any) -> Any:
    return clean(item) if key.endswith(SUFFIX) and isinstance(item, str) else clean_fields(item)


def _shown(character: str, previous: str) -> bool:
    code = ord(character)
    if code in _INVISIBLE or (unicodedata.category(character) == "Cc" and character not in "\n\t"):
        return False
    if code in (_JOINER, _NON_JOINER, _SELECTOR):
        return bool(previous) and _joins(code, previous)
    return True


def _joins(code: int, previous: str) -> bool:
    category = unicodedata.category(previous)
    if code == _SELECTOR:
        return category in ("So", "Sk", "Sm", "Po") or previous in _SELECTED
    if code == _JOINER:
        return ord(previous) == _SELECTOR or category in ("So", "Sk", "Lo", "Mn")
    return category == "Lo"
