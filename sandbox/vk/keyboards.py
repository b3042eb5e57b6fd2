"""Keyboards and templates as VK accepts them (contract §5). Pure."""

import json
from typing import Any, NoReturn

from sandbox.vk.errors import fail, wrong
from sandbox.vk.params import parsed

COLOURS = {"primary", "secondary", "negative", "positive"}
COLOURED = {"text", "callback"}
ACTIONS = {
    "text": {"label"},
    "callback": {"label", "payload"},
    "open_link": {"label", "link"},
    "location": set[str](),
    "vkpay": {"hash"},
    "open_app": {"label", "app_id"},
    "intent_subscribe": {"label"},
    "intent_unsubscribe": {"label"},
    "open_photo": set[str](),
    "open_modal_view": set[str](),
}
LONGEST_LABEL, LONGEST_PAYLOAD = 40, 255
ROWS, IN_ROW, ALL = 10, 5, 40
INLINE_ROWS, INLINE_ALL = 6, 10
ELEMENTS, ELEMENT_BUTTONS = 10, 3


def check_keyboard(given: Any) -> dict[str, Any]:
    """The keyboard, or 911; `{"buttons": []}` takes it away."""
    if not isinstance(given, dict) or not isinstance(given.get("buttons"), list):
        _bad("buttons must be an array")
    inline, rows = bool(given.get("inline")), given["buttons"]
    if inline and given.get("one_time"):
        _bad("one_time is not supported with inline")
    if not all(isinstance(row, list) and 0 < len(row) <= IN_ROW for row in rows):
        _bad(f"a row has 1 to {IN_ROW} buttons")
    most_rows, most = (INLINE_ROWS, INLINE_ALL) if inline else (ROWS, ALL)
    if len(rows) > most_rows or sum(map(len, rows)) > most:
        _bad(f"{most_rows} rows and {most} buttons at most")
    buttons = [[_button(button) for button in row] for row in rows]
    return {"one_time": bool(given.get("one_time")), "inline": inline, "buttons": buttons}


def check_template(given: Any) -> dict[str, Any]:
    """A carousel of up to 10 elements of the same form; anything else is error 100."""
    elements = given.get("elements") if isinstance(given, dict) else None
    if not isinstance(elements, list) or given.get("type") != "carousel":
        wrong("template is invalid: a carousel with elements is expected")
    if not 0 < len(elements) <= ELEMENTS or not all(isinstance(element, dict) for element in elements):
        wrong(f"template is invalid: 1 to {ELEMENTS} elements")
    if len({frozenset(element) for element in elements}) > 1:
        wrong("template is invalid: all elements must have the same form")
    for element in elements:
        buttons = element.get("buttons", [])
        if not isinstance(buttons, list) or len(buttons) > ELEMENT_BUTTONS:
            wrong(f"template is invalid: {ELEMENT_BUTTONS} buttons at most")
        for button in buttons:
            _button(button)
    return {"type": "carousel", "elements": elements}


def _button(given: Any) -> dict[str, Any]:
    action = given.get("action") if isinstance(given, dict) else None
    if not isinstance(action, dict) or str(action.get("type")) not in ACTIONS:
        _bad("a button needs an action with a known type")
    kind = str(action["type"])
    if missing := sorted(name for name in ACTIONS[kind] if not action.get(name)):
        _bad(f"{kind} needs {', '.join(missing)}")
    if len(str(action.get("label", ""))) > LONGEST_LABEL:
        _bad(f"label is longer than {LONGEST_LABEL}")
    if "payload" in action:
        action = {**action, "payload": _payload(action["payload"])}
    return {"action": action, **_colour(given, kind)}


def _payload(given: Any) -> str:
    """A JSON string (an object is accepted and written as one); null is refused (§5)."""
    text = json.dumps(given, ensure_ascii=False) if isinstance(given, dict | list) else given
    if not isinstance(text, str) or len(text) > LONGEST_PAYLOAD:
        _bad(f"payload must be a JSON string of at most {LONGEST_PAYLOAD} characters")
    try:
        parsed(text)
    except ValueError:
        _bad("payload must be JSON")
    return text


def _colour(given: dict[str, Any], kind: str) -> dict[str, Any]:
    if "color" not in given:
        return {"color": "secondary"} if kind in COLOURED else {}
    if str(given["color"]) not in COLOURS or kind not in COLOURED:
        _bad("color is wrong, or not for this type of button")
    return {"color": given["color"]}


def _bad(tail: str) -> NoReturn:
    fail(911, tail)
