"""Inline keyboards and their buttons (contract §3.2)."""

from typing import Any

from sandbox.max.errors import invalid
from sandbox.max.shop import Json, Message

MOST_ROWS, MOST_IN_ROW, MOST_BUTTONS, MOST_SPECIAL = 30, 7, 210, 3
SPECIAL = {"link", "open_app", "request_contact", "request_geo_location"}
# by type: (field, longest, required)
FIELDS: dict[str, tuple[tuple[str, int, bool], ...]] = {
    "callback": (("payload", 1024, True),),
    "link": (("url", 2048, True),),
    "request_contact": (),
    "request_geo_location": (),
    "open_app": (("web_app", 2048, False), ("payload", 512, False)),
    "message": (),
    "clipboard": (("payload", 1024, True),),
}


def keyboard(payload: Json) -> Json:
    """The attachment as it is shown later: callback buttons carry the old `intent`."""
    rows = payload.get("buttons")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        invalid("buttons: must be rows of buttons")
    if len(rows) > MOST_ROWS or sum(len(row) for row in rows) > MOST_BUTTONS:
        invalid(f"buttons: at most {MOST_ROWS} rows and {MOST_BUTTONS} buttons")
    return {"type": "inline_keyboard", "payload": {"buttons": [_row(row) for row in rows]}}


def _row(row: list[Any]) -> list[Json]:
    buttons = [_button(button) for button in row]
    if len(buttons) > MOST_IN_ROW:
        invalid(f"buttons: at most {MOST_IN_ROW} in a row")
    if sum(button["type"] in SPECIAL for button in buttons) > MOST_SPECIAL:
        invalid(f"buttons: at most {MOST_SPECIAL} of {', '.join(sorted(SPECIAL))} in a row")
    return buttons


def _button(button: object) -> Json:
    kind = button.get("type") if isinstance(button, dict) else None
    if not isinstance(button, dict) or not isinstance(kind, str) or kind not in FIELDS:
        invalid(f"button: type must be among {', '.join(FIELDS)}")
    _check_length(button, "text", 128, required=True)
    for name, longest, needed in FIELDS[kind]:
        _check_length(button, name, longest, required=needed)
    return {"intent": "default", **button} if kind == "callback" else dict(button)


def _check_length(button: Json, name: str, longest: int, *, required: bool) -> None:
    value = button.get(name)
    if value is None and not required:
        return
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        invalid(f"button.{name}: size must be between 1 and {longest}")


def buttons_of(message: Message) -> list[Json]:
    return [
        button
        for attachment in message.body.attachments
        if attachment.get("type") == "inline_keyboard" and message.via == "api"
        for row in attachment["payload"]["buttons"]
        for button in row
    ]
