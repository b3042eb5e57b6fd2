"""What a customer sees on the phone. Pure."""

import json
from typing import Any

from sandbox.vendor import button
from sandbox.vk.community import Community, Dialog, Message

NAMES = {"photo": "image", "audio_message": "voice"}
#: What the numbers look like is from memory; others are shown as a star.
MARKS = {1: "❤️", 2: "🔥", 3: "😂", 4: "👍", 5: "💩", 6: "❓", 7: "😭", 8: "😡", 9: "👎", 10: "👌"}


def chat_summary(community: Community, dialog: Dialog) -> dict[str, Any]:
    """`note` shows what the community is doing, as long as the mark lives."""
    activity, until = dialog.activity
    is_active = community.clock() < until
    return {
        "id": str(dialog.peer_id),
        "type": "chat" if dialog.is_chat else "user",
        "title": dialog.title or community.name,
        "note": activity if activity and is_active else None,
        "topic": None,
        "typing": activity == "typing" and is_active,
        "keyboard": _keyboard(dialog),
    }


def seen_message(community: Community, message: Message) -> dict[str, Any]:
    """`direction` is the business's: a customer's own messages are `in`, replies are `out`."""
    dialog, draft = community.dialogs[message.peer_id], message.draft
    answers = [press.answer for press in community.presses.values() if press.message is message]
    kinds = [given["type"] for given in draft.attachments] or (["location"] if "geo" in draft.extras else [])
    return {
        "id": message.key,
        "chat_id": str(message.peer_id),
        "direction": "out" if message.out else "in",
        "type": NAMES.get(kinds[0], kinds[0]) if kinds else "text",
        "text": draft.text or _words(draft.extras),
        "image_url": _picture(draft.attachments),
        "voice_url": _field(draft.attachments, "audio_message", "link_ogg"),
        "content": {
            "attachments": draft.attachments,
            "keyboard": draft.keyboard,
            "answers": answers,
            **draft.extras,
        },
        "marks": [MARKS.get(number, "★") for number in message.reactions.values()],
        "buttons": _rows(message) if (draft.keyboard or {}).get("inline") else [],
        "notes": [said["text"] for said in answers if said and "text" in said],
        "edited": message.edited is not None,
        "created": message.date,
        "read": message.cmid <= (dialog.out_read if message.out else dialog.in_read),
        "author": _author(community, message),
        "via": message.via,
    }


def _keyboard(dialog: Dialog) -> list[list[dict[str, Any]]]:
    """The latest that is not part of a message; one for one time is gone once the customer has written."""
    shown = dialog.seen_by("customer")
    last = next((m for m in reversed(shown) if m.draft.keyboard and not m.draft.keyboard["inline"]), None)
    if last is None or not last.draft.keyboard:
        return []
    used = last.draft.keyboard["one_time"] and any(m.cmid > last.cmid and not m.out for m in shown)
    return [] if used else _rows(last)


def _rows(message: Message) -> list[list[dict[str, Any]]]:
    rows = (message.draft.keyboard or {}).get("buttons", [])
    return [[_button(message, given["action"]) for given in row] for row in rows]


def _button(message: Message, action: dict[str, Any]) -> dict[str, Any]:
    kind, payload = action["type"], action.get("payload", "")
    label = action.get("label", kind)
    letters: dict[str, dict[str, Any]] = {
        "text": {"type": "button", "text": label, "content": {"payload": payload}},
        "location": {"type": "location"},
    }
    if kind == "callback":
        pressed = {"message": message.key, "payload": json.loads(payload)}
        return button(label, press={"type": "press", "content": pressed})
    return button(label, press=letters.get(kind), url=action.get("link"))


def _words(extras: dict[str, Any]) -> str:
    place = extras.get("geo", {}).get("place", {})
    return str(place.get("title", "")) if isinstance(place, dict) else ""


def _picture(attachments: list[dict[str, Any]]) -> str | None:
    largest = _field(attachments, "photo", "orig_photo")
    return largest["url"] if isinstance(largest, dict) else None


def _field(attachments: list[dict[str, Any]], kind: str, name: str) -> Any:
    return next((given[kind].get(name) for given in attachments if given["type"] == kind), None)


def _author(community: Community, message: Message) -> str:
    if message.out:
        return community.name
    user = community.users.get(message.from_id)
    return user.name if user else "VK"
