"""What a customer sees on the phone. Pure."""

from typing import Any

from sandbox.telegram import seed
from sandbox.telegram.files import Files
from sandbox.telegram.shop import Chat, Message, Shop
from sandbox.vendor import button

CONTENT_KEYS = ("text", "photo", "voice", "video_note", "video", "animation", "audio", "document", "sticker")
TITLES = {seed.BOT_TOPIC: "Бот мастерской", seed.BUSINESS_TOPIC: "Личный аккаунт мастерской"}
KINDS = {seed.BOT_TOPIC: "bot", seed.BUSINESS_TOPIC: "business", seed.GROUP_TOPIC: "group"}


def topic_of(chat: Chat) -> int:
    if chat.is_group:
        return seed.GROUP_TOPIC
    return seed.BUSINESS_TOPIC if chat.connection else seed.BOT_TOPIC


def chat_summary(chat: Chat) -> dict[str, Any]:
    topic = topic_of(chat)
    shown = topic if chat.migrated_to is None else None
    note = "бот печатает…" if chat.action == "typing" else None
    return {
        "id": chat.key,
        "type": KINDS[topic],
        "title": chat.title or TITLES[topic],
        "note": note,
        "topic": shown,
        "typing": chat.action == "typing",
        "keyboard": [
            [button(one["text"], press={"type": "press", "text": one["text"]}) for one in row]
            for row in chat.keyboard
        ],
    }


def seen_message(shop: Shop, files: Files, message: Message) -> dict[str, Any]:
    """`direction` is the business's: what people write is `in`, what the bot or the owner writes is `out`."""
    content = message.content
    own = message.author in (shop.bot, shop.connection.owner)
    return {
        "id": message.key,
        "chat_id": message.chat.key,
        "direction": "out" if own else "in",
        "type": next((key for key in CONTENT_KEYS if key in content), next(iter(content), "text")),
        "text": content.get("text") or content.get("caption") or "",
        "image_url": files.link(_picture(content)),
        "voice_url": files.link((content.get("voice") or content.get("audio") or {}).get("file_id")),
        "content": {**content, **({"reply_markup": message.draft.markup} if message.draft.markup else {})},
        "created": message.date,
        "edited": message.edited,
        "read": message.read,
        "reactions": message.reactions.get(shop.bot.id, []),
        "marks": [one.get("emoji", "★") for given in message.reactions.values() for one in given],
        "buttons": _buttons(message),
        "notes": [press.note for press in shop.presses.values() if press.message is message and press.note],
        "author": message.author.name,
        "via": message.via,
    }


def _buttons(message: Message) -> list[list[dict[str, Any]]]:
    rows = (message.draft.markup or {}).get("inline_keyboard", [])
    return [[_button(message, given) for given in row] for row in rows]


def _button(message: Message, given: dict[str, Any]) -> dict[str, Any]:
    press = {"type": "press", "quote": message.key, "content": {"data": given.get("callback_data")}}
    return button(given["text"], press=press if "callback_data" in given else None, url=given.get("url"))


def _picture(content: dict[str, Any]) -> object:
    if content.get("photo"):
        return content["photo"][-1]["file_id"]
    return (content.get("sticker") or {}).get("file_id")
