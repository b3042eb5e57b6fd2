"""The items inside `messaging[]` and the envelope around them (contract §13). Pure."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.instagram.shop import Account, Chat, Json, Message

REACTIONS = {
    "love": "\u2764\ufe0f",
    "angry": "\U0001f620",
    "sad": "\U0001f622",
    "wow": "\U0001f62e",
    "like": "\U0001f44d",
    "laugh": "\U0001f606",
}
TEST_ENTRY: Json = {
    "field": "messages",
    "value": {
        "sender": {"id": "12334"},
        "recipient": {"id": "23245"},
        "timestamp": "1527459824",
        "message": {"mid": "random_mid", "text": "random_text"},
    },
}


@dataclass(frozen=True, slots=True)
class Event:
    """One item with the webhook field it belongs to; `key` is where it stands in the entry."""

    field: str
    item: Json
    kind: str
    message_id: str = ""
    key: str = "messaging"


def message_event(chat: Chat, message: Message, *, echo_field: str) -> Event:
    """A message, or the echo of an own one, with the mid that the send returned."""
    body: Json = {"mid": message.id, **message.content}
    if message.own:
        body["is_echo"] = True
    field = echo_field if message.own else "messages"
    item = _item(chat, message.created, own=message.own, message=body)
    return Event(field, item, message.type, message.id)


def unsent_event(chat: Chat, message: Message, at: float) -> Event:
    body: Json = {"mid": message.id, "is_deleted": True}
    if message.own:
        body["is_echo"] = True
    return Event("messages", _item(chat, at, own=message.own, message=body), "unsent", message.id)


def edit_event(chat: Chat, message: Message, at: float, *, as_text: bool) -> Event:
    number: int | str = str(message.edits) if as_text else message.edits
    body = {"mid": message.id, "text": message.text, "num_edit": number}
    return Event("message_edits", _item(chat, at, message_edit=body), "edit", message.id)


def reaction_event(chat: Chat, mid: str, at: float, emoji: str | None) -> Event:
    """`emoji` None takes the reaction back; emoji without a name of their own are `other`."""
    body: Json = {"mid": mid, "action": "react" if emoji else "unreact"}
    if emoji:
        name = next((name for name, known in REACTIONS.items() if known == emoji), "other")
        body |= {"reaction": name, "emoji": emoji}
    return Event("message_reactions", _item(chat, at, reaction=body), "reaction", mid)


def postback_event(chat: Chat, message: Message, payload: str) -> Event:
    body = {"mid": message.id, "title": message.text, "payload": payload}
    return Event("messaging_postbacks", _item(chat, message.created, postback=body), "postback", message.id)


def referral_event(chat: Chat, at: float, referral: Json) -> Event:
    return Event("messaging_referral", _item(chat, at, referral=referral), "referral")


def read_event(chat: Chat, mid: str, at: float) -> Event:
    return Event("messaging_seen", _item(chat, at, read={"mid": mid}), "read", mid)


def service_event(chat: Chat, at: float, key: str, content: Json) -> Event:
    fields = {"optin": "messaging_optins", "policy_enforcement": "messaging_policy_enforcement"}
    return Event(fields.get(key, "messaging_handover"), _item(chat, at) | {key: content}, key)


def change_event(field: str, value: Json) -> Event:
    """Comments and mentions stand in `changes` (§13.5)."""
    return Event(field, {"field": field, "value": value}, field, str(value.get("id", "")), "changes")


def development_event(event: Event) -> Event:
    """All that an app in development mode hears of a new message (§16 m)."""
    mid = event.item["message"]["mid"]
    item = {"timestamp": event.item["timestamp"], "message_edit": {"mid": mid, "num_edit": 0}}
    return Event("messages", item, "edit", mid)


def envelope(account_id: str, key: str, items: list[Json], at: float) -> Json:
    return {"object": "instagram", "entry": [{"time": int(at * 1000), "id": account_id, key: items}]}


def test_envelope(at: float) -> Json:
    """The dashboard's Test button: entry "0", seconds (§13.5)."""
    return {"object": "instagram", "entry": [{"id": "0", "time": int(at), "changes": [TEST_ENTRY]}]}


def encoded(body: object, *, escape_slashes: bool = False) -> bytes:
    """ASCII with lower-case `\\uXXXX`, as it is signed (§13.3)."""
    written = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    return (written.replace("/", "\\/") if escape_slashes else written).encode()


def party(account: Account) -> dict[str, str]:
    return {"username": account.username, "id": account.user_id}


def _item(chat: Chat, at: float, *, own: bool = False, **what: Any) -> Json:
    business, person = {"id": chat.account.user_id}, {"id": chat.id}
    sender, recipient = (business, person) if own else (person, business)
    return {"sender": sender, "recipient": recipient, "timestamp": int(at * 1000), **what}
