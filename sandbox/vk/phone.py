"""What a customer sees on the phone. Pure."""

from typing import Any

from sandbox.vk.community import Community, Dialog, Message

NAMES = {"photo": "image", "audio_message": "voice"}


def chat_summary(community: Community, dialog: Dialog) -> dict[str, Any]:
    """`note` shows what the community is doing, as long as the mark lives."""
    activity, until = dialog.activity
    return {
        "id": str(dialog.peer_id),
        "type": "chat" if dialog.is_chat else "user",
        "title": dialog.title or community.name,
        "note": activity if activity and community.clock() < until else None,
        "topic": None,
    }


def seen_message(community: Community, message: Message) -> dict[str, Any]:
    """`direction` is the business's: a customer's own messages are `in`, replies are `out`."""
    dialog, draft = community.dialogs[message.peer_id], message.draft
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
            "answers": [p.answer for p in community.presses.values() if p.message is message],
            **draft.extras,
        },
        "created": message.date,
        "read": message.cmid <= (dialog.out_read if message.out else dialog.in_read),
        "author": _author(community, message),
        "via": message.via,
    }


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
