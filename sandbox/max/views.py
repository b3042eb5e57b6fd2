"""The bot's world as MAX's JSON (contract §3.1); null keys are left out (§1). Pure."""

from typing import Any

from sandbox.max.shop import Chat, Json, Link, Member, Message, Person, Shop


def without_nulls(shown: Json) -> Json:
    return {key: value for key, value in shown.items() if value is not None}


def user_view(shop: Shop, person: Person) -> Json:
    shown = {
        "user_id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "username": person.username,
        "is_bot": person.is_bot,
        "last_activity_time": shop.active.get(person.id, shop.now()),
        "name": person.name,
    }
    return without_nulls(shown)


def message_view(shop: Shop, message: Message, *, bodiless: bool = False) -> Json:
    """No sender for posts of a channel; `bodiless` forwards are a quirk users report."""
    chat = shop.chats[message.chat_id]
    author = None if chat.type == "channel" and not message.post_id else message.author
    shown = {
        "sender": author and user_view(shop, author),
        "recipient": _recipient(shop, chat, message),
        "timestamp": message.timestamp,
        "body": None if bodiless else body_view(message),
        "link": message.link and _link(shop, message.link),
        "stat": {"views": len(chat.members)} if chat.type == "channel" else None,
        "url": f"https://max.ru/c/{chat.id}/{message.seq:x}" if chat.type == "channel" else None,
    }
    return without_nulls(shown)


def _recipient(shop: Shop, chat: Chat, message: Message) -> Json:
    """In dialogs also the user_id of the side that did not write."""
    shown: Json = {"chat_id": chat.id, "chat_type": chat.type, "post_id": message.post_id}
    if chat.person:
        shown["user_id"] = chat.person.id if message.author == shop.bot else shop.bot.id
    return without_nulls(shown)


def body_view(message: Message) -> Json:
    body = message.body
    shown = {
        "mid": message.mid,
        "seq": message.seq,
        "text": body.text,
        "attachments": list(body.attachments) or None,
        "markup": list(body.markup) or None,
    }
    return without_nulls(shown)


def _link(shop: Shop, link: Link) -> Json:
    author = link.message.author
    shown = {
        "type": link.type,
        "sender": author and user_view(shop, author),
        "chat_id": link.message.chat_id if link.type == "forward" else None,
        "message": body_view(link.message),
    }
    return without_nulls(shown)


def chat_view(shop: Shop, chat: Chat) -> Json:
    """A dialog has `dialog_with_user` and no title; groups count their people."""
    pinned = chat.pinned and shop.standing(chat.pinned)
    here = chat.person is not None or shop.bot.id in chat.members
    shown: dict[str, Any] = {
        "chat_id": chat.id,
        "type": chat.type,
        "status": "active" if here else "removed",
        "title": chat.title or None,
        "icon": chat.icon and {"url": chat.icon},
        "last_event_time": chat.last_event,
        "participants_count": 2 if chat.person else len(chat.members),
        "is_public": False,
        "description": chat.description,
        "dialog_with_user": chat.person and user_view(shop, chat.person),
        "messages_count": sum(1 for _ in shop.shown_in(chat)) if not chat.person else None,
        "pinned_message": message_view(shop, pinned) if pinned else None,
    }
    if not chat.person:
        shown["owner_id"] = next(iter(chat.members), None)
        shown["participants"] = {str(m.person.id): m.joined for m in chat.members.values()}
    return without_nulls(shown)


def member_view(shop: Shop, chat: Chat, member: Member) -> Json:
    shown = {
        **user_view(shop, member.person),
        "last_access_time": shop.active.get(member.person.id, member.joined),
        "is_owner": member.person.id == next(iter(chat.members)),
        "is_admin": member.rights is not None,
        "join_time": member.joined,
        "permissions": None if member.rights is None else list(member.rights),
    }
    return without_nulls(shown)
