"""What a customer sees on the phone. Pure."""

from typing import Any

from sandbox.max.callbacks import Callbacks
from sandbox.max.files import Files
from sandbox.max.shop import Chat, Json, Message, Shop
from sandbox.max.views import body_view, without_nulls
from sandbox.vendor import button

PRESSABLE = {"callback", "message", "request_contact", "request_geo_location"}
TITLES = {"dialog": "Чат с ботом", "chat": "Группа", "channel": "Канал"}


def chat_summary(chat: Chat, now: int) -> dict[str, Any]:
    return {
        "id": str(chat.id),
        "type": chat.type,
        "title": chat.title or TITLES[chat.type],
        "note": "бот остановлен" if chat.stopped else None,
        "topic": None,
        "typing": now < chat.typing_until,
    }


def seen_message(shop: Shop, files: Files, callbacks: Callbacks, message: Message) -> dict[str, Any]:
    """`direction` is the business's; `notes` are the pop-ups that answered presses."""
    own = message.author == shop.bot or message.via == "operator"
    return {
        "id": message.mid,
        "chat_id": str(message.chat_id),
        "direction": "out" if own else "in",
        "type": _type(message),
        "text": message.body.text or _linked_text(message),
        "image_url": _address(files, message, "image", "sticker"),
        "voice_url": _address(files, message, "audio"),
        "content": {
            **body_view(message),
            **without_nulls({"link": message.link and message.link.message.mid}),
        },
        "buttons": _buttons(message),
        "edited": message.edited,
        "notes": callbacks.notes.get(message.mid, []),
        "created": message.timestamp // 1000,
        "read": message.read,
        "author": message.author.name if message.author else "",
        "via": message.via,
    }


def _buttons(message: Message) -> list[list[dict[str, Any]]]:
    keyboards = [a for a in message.body.attachments if a.get("type") == "inline_keyboard"]
    shown = keyboards if message.via == "api" else []
    return [
        [_button(message, one) for one in row] for keyboard in shown for row in keyboard["payload"]["buttons"]
    ]


def _button(message: Message, given: Json) -> dict[str, Any]:
    pressed = {"button": given["text"], "payload": given.get("payload")}
    press = {"type": "press", "quote": message.mid, "content": pressed}
    return button(given["text"], press=press if given["type"] in PRESSABLE else None, url=given.get("url"))


def _type(message: Message) -> str:
    if message.deleted:
        return "deleted"
    kinds = [str(a.get("type")) for a in message.body.attachments if a.get("type") != "inline_keyboard"]
    if kinds:
        return kinds[0]
    return message.link.type if message.link and not message.body.text else "text"


def _linked_text(message: Message) -> str:
    return (message.link.message.body.text or "") if message.link else ""


def _address(files: Files, message: Message, *kinds: str) -> str | None:
    """The link on this host, or the foreign one of a picture sent by address."""
    for attachment in message.body.attachments:
        if attachment.get("type") in kinds:
            payload = attachment.get("payload")
            return _opened(files, payload) if isinstance(payload, dict) else None
    return None


def _opened(files: Files, payload: Json) -> str | None:
    stored = files.get(payload.get("token") or f"sticker-{payload.get('code')}")
    return stored.seen if stored else payload.get("url")
