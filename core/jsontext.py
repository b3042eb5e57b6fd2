"""Reading JSON that strangers wrote: one error for every failure, and half an emoji loses no message."""

import json
import re
from typing import Any

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "�"


class UnreadableJSON(ValueError):
    """The bytes are not JSON; the text says where reading stopped."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_json(raw: bytes | str) -> Any:
    """Parse `raw`; lone surrogates (an emoji cut in two by the sender) become U+FFFD.

    Raises UnreadableJSON for anything else that is not valid UTF-8 JSON.
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        parsed = _DECODER.decode(text)
        return _mended(parsed) if _may_hold_surrogates(text) else parsed
    except RecursionError as error:
        raise UnreadableJSON("nested too deeply") from error
    except ValueError as error:
        raise UnreadableJSON(str(error)) from error


def write_json(value: Any) -> str:
    """Compact JSON in plain UTF-8, without escapes for Cyrillic."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def without_surrogates(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, so that it can be encoded."""
    return _LONE_SURROGATE.sub(REPLACEMENT, text)


def _may_hold_surrogates(text: str) -> bool:
    return "\\ud" in text or "\\uD" in text


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): _mended(item) for key, item in value.items()}
    return value
