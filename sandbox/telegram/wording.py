"""The text and caption of a call: parsed, measured, refused with Telegram's words (contract §5, §7)."""

from typing import Any, Literal

from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.formatting import FormattingError, found_entities, html, utf16
from sandbox.telegram.markdown import markdown, markdown_v2

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
MOST_BYTES = 32_768
MODES = {"html": html, "markdownv2": markdown_v2, "markdown": markdown}


class Wording:
    def __init__(self, unit: Literal["utf16", "characters"]) -> None:
        self._measure = utf16 if unit == "utf16" else len

    def text(self, call: Call) -> dict[str, Any]:
        """`text` and `entities` of sendMessage and editMessageText."""
        raw = call.text("text")
        if raw is None:
            bad("message text is empty")
        if len(raw.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            bad("text is too long")
        plain, entities = _formatted(raw, call.text("parse_mode"), call.structure("entities"))
        if not plain.strip():
            bad("text must be non-empty")
        if self._measure(plain) > LONGEST_TEXT:
            bad("message is too long")
        return {"text": plain, **({"entities": entities} if entities else {})}

    def caption(self, call: Call) -> dict[str, Any]:
        """`caption` and `caption_entities`, both absent where nothing was said."""
        raw = call.text("caption") or ""
        plain, entities = _formatted(raw, call.text("parse_mode"), call.structure("caption_entities"))
        if self._measure(plain) > LONGEST_CAPTION:
            bad("message caption is too long")
        shown = {"caption": plain, "caption_entities": entities}
        return {key: value for key, value in shown.items() if value}


def _formatted(raw: str, mode: str | None, given: Any) -> tuple[str, list[dict[str, Any]]]:
    """parse_mode, else the given entities, else what Telegram finds by itself."""
    if mode is None:
        return raw, _checked(given, raw) if given else found_entities(raw)
    parse = MODES.get(mode.lower())
    if parse is None:
        bad("unsupported parse_mode")
    try:
        plain, entities = parse(raw)
    except FormattingError as error:
        bad(f"can't parse entities: {error}")
    taken = {place for e in entities for place in range(e["offset"], e["offset"] + e["length"])}
    found = [entity for entity in found_entities(plain) if entity["offset"] not in taken]
    return plain, sorted([*entities, *found], key=lambda entity: (entity["offset"], -entity["length"]))


def _checked(given: Any, text: str) -> list[dict[str, Any]]:
    fits = isinstance(given, list) and all(_is_entity(entity, utf16(text)) for entity in given)
    if not fits:
        bad("can't parse entities: an array of MessageEntity is expected")
    return list(given)


def _is_entity(entity: Any, units: int) -> bool:
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        return False
    offset, length = entity.get("offset"), entity.get("length")
    return isinstance(offset, int) and isinstance(length, int) and 0 <= offset < offset + length <= units
