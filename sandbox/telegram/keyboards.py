"""`reply_markup`: buttons under a message, or a keyboard instead of the phone's own (contract §4, §5)."""

from dataclasses import dataclass
from typing import Any

from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.shop import Chat

LONGEST_DATA = 64


@dataclass(frozen=True, slots=True)
class Keyboard:
    """`inline` stays with the message; `shown` replaces the chat's keyboard, None leaves it."""

    inline: dict[str, Any] | None = None
    shown: list[list[dict[str, Any]]] | None = None


def keyboard_of(call: Call, chat: Chat) -> Keyboard:
    markup = call.structure("reply_markup")
    if markup is None:
        return Keyboard()
    if not isinstance(markup, dict):
        bad("object expected as reply markup")
    if "inline_keyboard" in markup:
        rows = [[_inline(button) for button in row] for row in _rows(markup["inline_keyboard"])]
        return Keyboard(inline={"inline_keyboard": rows} if any(rows) else None)
    if "keyboard" in markup:
        rows = [[_plain(button, chat) for button in row] for row in _rows(markup["keyboard"])]
        return Keyboard(shown=rows)
    return Keyboard(shown=[] if markup.get("remove_keyboard") else None)


def _rows(given: Any) -> list[list[Any]]:
    if not isinstance(given, list) or not all(isinstance(row, list) for row in given):
        bad("can't parse keyboard: an array of arrays is expected")
    return given


def _inline(button: Any) -> dict[str, Any]:
    """Data of 1 to 64 bytes (§4); the code is from memory."""
    if not isinstance(button, dict) or not isinstance(button.get("text"), str) or not button["text"]:
        bad("can't parse inline keyboard button: text is required")
    if len(button) < 2:
        bad("text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not (isinstance(data, str) and 1 <= len(data.encode()) <= LONGEST_DATA):
        bad("BUTTON_DATA_INVALID")
    return dict(button)


def _plain(button: Any, chat: Chat) -> dict[str, Any]:
    shown = {"text": button} if isinstance(button, str) else button
    if not isinstance(shown, dict) or not isinstance(shown.get("text"), str) or not shown["text"]:
        bad("can't parse keyboard button: text is required")
    if shown.get("request_contact") and chat.is_group:
        bad("phone number can be requested in private chats only")
    return dict(shown)
