"""What a customer sees on the phone. Pure."""

from typing import Any

from sandbox.avito.shop import Chat, Message, Shop

TITLES = {"u2u": "Личный чат", "a2u": "Avito"}


def chat_summary(chat: Chat) -> dict[str, Any]:
    return {
        "id": chat.id,
        "type": chat.type,
        "title": chat.ad.title if chat.ad else TITLES[chat.type],
        "note": chat.ad.price_string if chat.ad else None,
        "topic": chat.ad.id if chat.ad else None,
    }


def seen_message(shop: Shop, message: Message) -> dict[str, Any]:
    """`direction` is the business's: a customer's own messages are `in`, replies are `out`."""
    content = message.content
    return {
        "id": message.id,
        "chat_id": message.chat_id,
        "direction": "out" if message.author_id == shop.account.id else "in",
        "type": message.type,
        "text": _words(content),
        "image_url": _largest(content),
        "voice_url": _recording(shop, content),
        "content": content,
        "created": message.created,
        "read": message.read_at is not None,
        "author": _author(shop, message),
        "via": message.via,
    }


def _inner(content: dict[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _words(content: dict[str, Any]) -> str:
    candidates = (content.get("text"), *(_inner(content, key).get("text") for key in ("link", "location")))
    return next((words for words in candidates if isinstance(words, str)), "")


def _largest(content: dict[str, Any]) -> str | None:
    sizes = _inner(_inner(content, "image"), "sizes")
    return list(sizes.values())[-1] if sizes else None


def _recording(shop: Shop, content: dict[str, Any]) -> str | None:
    kept = shop.recordings.get(str(_inner(content, "voice").get("voice_id")))
    return kept.customer_url if kept else None


def _author(shop: Shop, message: Message) -> str:
    if message.author_id == shop.account.id:
        return shop.account.name
    return "Avito" if message.via == "avito" else shop.chats[message.chat_id].person.name
