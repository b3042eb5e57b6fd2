"""Messages as the Conversations API shows them (contract §8). Pure."""

from datetime import UTC, datetime

from sandbox.instagram.events import party
from sandbox.instagram.shop import Chat, Json, Message, Shop

MESSAGE_FIELDS = {
    "id",
    "created_time",
    "from",
    "to",
    "message",
    "attachments",
    "shares",
    "story",
    "reactions",
    "reply_to",
    "is_unsupported",
}
SHARES = {"ig_post", "share", "ig_reel", "reel", "story", "ig_story"}


def moment(at: float) -> str:
    """ISO with `+0000`, whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def participants(chat: Chat) -> Json:
    return {"data": [party(chat.account), _person(chat)]}


def message_view(shop: Shop, message: Message, fields: set[str]) -> Json:
    """The wanted fields that the message has; shapes beside from, to and reply_to: from memory."""
    chat, content = shop.chats[message.chat_id], message.content
    business, person = party(chat.account), _person(chat)
    sender, reader = (business, person) if message.own else (person, business)
    made: Json = {
        "id": message.id,
        "created_time": moment(message.created),
        "from": sender,
        "to": {"data": [reader]},
        "message": message.text,
        **_media(content),
        "story": _story(content),
        "reactions": _reactions(chat, message),
        "reply_to": _reply(shop, message),
        "is_unsupported": content.get("is_unsupported"),
    }
    return {k: v for k, v in made.items() if (k in fields or k == "id") and v is not None}


def _person(chat: Chat) -> Json:
    return {"username": chat.person.username, "id": chat.person.id}


def _media(content: Json) -> Json:
    attachments, shares = [], []
    for attachment in content.get("attachments", []):
        kind, url = attachment["type"], attachment.get("payload", {}).get("url")
        if kind in SHARES and url:
            shares.append({"link": url})
        elif url and kind != "story_mention":
            key = {"image": "image_data", "video": "video_data"}.get(kind)
            attachments.append({key: {"url": url}} if key else {"file_url": url})
    return {
        "attachments": {"data": attachments} if attachments else None,
        "shares": {"data": shares} if shares else None,
    }


def _story(content: Json) -> Json | None:
    mention = next((a for a in content.get("attachments", []) if a["type"] == "story_mention"), None)
    if mention:
        return {"mention": {"link": mention.get("payload", {}).get("url", "")}}
    replied = content.get("reply_to", {}).get("story")
    return {"reply_to": {"link": replied.get("url", ""), "id": replied.get("id", "")}} if replied else None


def _reactions(chat: Chat, message: Message) -> Json | None:
    known = {chat.account.user_id: party(chat.account), chat.id: _person(chat)}
    found = [{"reaction": emoji, "users": [known[who]]} for who, emoji in message.reactions.items()]
    return {"data": found} if found else None


def _reply(shop: Shop, message: Message) -> Json | None:
    mid = message.content.get("reply_to", {}).get("mid")
    quoted = shop.messages.get(mid) if mid else None
    return {"mid": mid, "is_self_reply": bool(quoted and quoted.own is message.own)} if mid else None
