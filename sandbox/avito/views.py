"""The account's state as Avito's JSON (contract §3.3 to §3.6, §4). Pure."""

from datetime import UTC, datetime
from typing import Any

from sandbox.avito.shop import Ad, Chat, Message, Person, Shop


def chat_view(shop: Shop, chat: Chat) -> dict[str, Any]:
    """A chat; the order of `users` is not promised, so it differs from chat to chat."""
    users = [_user(chat.person, chat.ad), _user(shop.account, None)]
    shown: dict[str, Any] = {
        "id": chat.id,
        "created": chat.created,
        "updated": chat.updated,
        "users": users if chat.person.id % 2 else users[::-1],
    }
    if chat.ad:
        shown["context"] = {"type": "item", "value": _context(chat.ad, shop.account)}
    if chat.messages:
        last = chat.messages[-1]
        shown["last_message"] = {**_core(last), **_written(shop, last)}
    return shown


def message_view(shop: Shop, message: Message) -> dict[str, Any]:
    own = message.author_id == shop.account.id
    shown = {
        **_core(message),
        **_written(shop, message),
        "is_read": own or message.read_at is not None,
        "read": message.read_at,
    }
    if message.quote:
        shown["quote"] = {**_core(message.quote), "author_id": message.quote.author_id}
    return shown


def sent_view(message: Message) -> dict[str, Any]:
    """The answer to a text that was sent: no author."""
    return {**_core(message), "direction": "out"}


def sent_image_view(message: Message) -> dict[str, Any]:
    return {**sent_view(message), "author_id": message.author_id}


def push_view(shop: Shop, chat: Chat, message: Message, *, push_id: str) -> dict[str, Any]:
    """The webhook; neither direction nor quote nor names."""
    published = datetime.fromtimestamp(message.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    value = {
        **_core(message),
        "chat_id": chat.id,
        "chat_type": chat.type,
        "user_id": shop.account.id,
        "author_id": message.author_id,
        "item_id": chat.ad.id if chat.ad else None,
        "published_at": published,
        "read": message.read_at,
    }
    return {
        "id": push_id,
        "version": "v3.0.0",
        "timestamp": shop.now(),
        "payload": {"type": "message", "value": value},
    }


def _core(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "type": message.type,
        "created": message.created,
        "content": message.content,
    }


def _written(shop: Shop, message: Message) -> dict[str, Any]:
    own = message.author_id == shop.account.id
    return {"author_id": message.author_id, "direction": "out" if own else "in"}


def _user(person: Person, ad: Ad | None) -> dict[str, Any]:
    profile: dict[str, Any] = {
        "user_id": person.id,
        "url": f"https://avito.ru/user/{person.id:016x}/profile",
        "avatar": {"default": "https://img.example.test/d.png", "images": {}},
    }
    if ad:
        profile["item_id"] = ad.id
    return {"id": person.id, "name": person.name, "public_user_profile": profile}


def _context(ad: Ad, owner: Person) -> dict[str, Any]:
    return {
        "id": ad.id,
        "title": ad.title,
        "price_string": ad.price_string,
        "status_id": ad.status_id,
        "url": ad.url,
        "user_id": owner.id,
        "images": {"count": 1, "main": {"140x105": f"https://img.example.test/140x105/{ad.id}.jpg"}},
    }
