"""Where words of a customer stand in what messengers deliver: bodies of their webhooks, with places to fill.

A body is one of tests/payloads; whatever names the customer, the chat, the message or the event in it is
made anew for each burst.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_PAYLOADS = Path(__file__).parent.parent / "payloads"
_numbers = count(1_000)


@dataclass(frozen=True, slots=True)
class Body:
    """A payload file and the paths of the words in it; `$` stands for the words within a value."""

    file: str
    places: Sequence[str]
    within: str = "$"


@dataclass(frozen=True, slots=True)
class Door:
    """The webhook of a messenger: what a burst consists of, and which values are whose.

    `everywhere`: paths that every body has. `customer`: what in the files is the customer's id and chat's.
    `own`: names of fields that must be new in each delivery.
    """

    channel: str
    everywhere: Sequence[str]
    bodies: Sequence[Body]
    customer: Sequence[str]
    own: Sequence[str]

    def someone(self) -> tuple[int, str]:
        """The number of a customer who has not written yet, and who they are there."""
        number = next(_numbers)
        return number, _renamed(self.customer[0], number)

    def burst(self, number: int, words: str) -> list[Any]:
        """One body for each place, all of that customer."""
        return [self.filled(one, words, number) for one in self.bodies]

    def filled(self, one: Body, words: str, number: int) -> Any:
        """That body, as that customer."""
        raw = (_PAYLOADS / self.channel / f"{one.file}.json").read_text("utf-8")
        for name in self.customer:
            raw = raw.replace(name, _renamed(name, number))
        body = json.loads(raw)
        for place in self.everywhere:
            _put(body, place.split("."), words)
        for place in one.places:
            _put(body, place.split("."), one.within.replace("$", words))
        _renew(body, self.own)
        return body


def _renamed(name: str, number: int) -> str:
    return name[: -len(str(number))] + str(number)


def _put(value: Any, path: Sequence[str], words: str) -> None:
    """Write the words at the path, in every item of a list; a path that does not exist is nothing."""
    if isinstance(value, list):
        for item in value:
            _put(item, path, words)
    elif isinstance(value, dict) and len(path) == 1:
        value[path[0]] = words
    elif isinstance(value, dict) and path[0] in value:
        _put(value[path[0]], path[1:], words)


def _renew(value: Any, names: Sequence[str]) -> None:
    for holder, key in _found(value, names):
        new = next(_numbers)
        holder[key] = new if isinstance(holder[key], int) else f"{re.sub(r'[0-9]+$', '', holder[key])}{new}"


def _found(value: Any, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, list):
        for item in value:
            yield from _found(item, names)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in names and isinstance(item, int | str):
                yield value, key
            yield from _found(item, names)


#: The same in every body: how many names a client has must not hang on where a burst was cut.
_TG_NAMES = ("first_name", "last_name", "username")
_MAX_NAMES = ("first_name", "name", "username")
_VK = "object.message"
_MAX = "message.body.attachments"
_IG = "entry.messaging.message"
_AVITO = "payload.value.content"
DOORS = (
    Door(
        "telegram",
        [f"{who}.{name}" for who in ("message.from", "callback_query.from") for name in _TG_NAMES],
        (
            Body("text", ["message.text"]),
            Body("photo", ["message.caption"]),
            Body("document", ["message.document.file_name", "message.caption"]),
            Body("venue", ["message.venue.title", "message.venue.address"]),
            Body("contact_of_another", ["message.contact.first_name", "message.contact.last_name"]),
            Body("quote", ["message.reply_to_message.text", "message.quote.text", "message.text"]),
            Body("press", ["callback_query.data"]),
        ),
        ("900000001", "4380000000000000001"),
        ("update_id", "message_id"),
    ),
    Door(
        "whatsapp",
        ("messages.senderName", "messages.contact_name", "messages.contact_username"),
        (
            Body("text", ["messages.body"]),
            Body("image", ["messages.caption", "messages.file_name"]),
            Body("document", ["messages.file_name", "messages.caption", "messages.title"]),
            Body("location", ["messages.location.description"]),
            Body("contact", ["messages.contact.display_name"]),
            Body("contact", ["messages.body"], "BEGIN:VCARD\nVERSION:3.0\nFN:$\nTEL:+79000000003\nEND:VCARD"),
            Body("reply", ["messages.reply_message.body", "messages.body"]),
            Body("poll", ["messages.body"]),
            Body("buttons_response", ["messages.body", "messages.selectedButtonId"]),
        ),
        ("79000000002", "990000000000001"),
        ("id",),
    ),
    Door(
        "vk",
        (),
        (
            Body("text", [f"{_VK}.text"]),
            Body("document", [f"{_VK}.attachments.doc.title", f"{_VK}.text"]),
            Body("link", [f"{_VK}.attachments.link.{name}" for name in ("title", "caption", "description")]),
            Body("location", [f"{_VK}.geo.place.title"]),
            Body("product", [f"{_VK}.attachments.market.title", f"{_VK}.attachments.market.price.text"]),
            Body("wall_post", [f"{_VK}.attachments.wall.text"]),
            Body("voice_with_transcript", [f"{_VK}.attachments.audio_message.transcript"]),
            Body("reply", [f"{_VK}.reply_message.text", f"{_VK}.text"]),
            Body("text_button", [f"{_VK}.payload", f"{_VK}.text"]),
        ),
        ("77001",),
        ("event_id", "id", "conversation_message_id"),
    ),
    Door(
        "max",
        [f"{who}.{name}" for who in ("message.sender", "callback.user") for name in _MAX_NAMES],
        (
            Body("text", ["message.body.text"]),
            Body("file", [f"{_MAX}.filename", "message.body.text"]),
            Body("contact_of_another", [f"{_MAX}.payload.max_info.{one}" for one in ("first_name", "name")]),
            Body("share", [f"{_MAX}.title", f"{_MAX}.description"]),
            Body("voice", [f"{_MAX}.transcription"]),
            Body("text_reply", ["message.link.message.text", "message.body.text"]),
            Body("callback", ["callback.payload"]),
        ),
        ("50100", "90010"),
        ("mid", "seq", "callback_id"),
    ),
    Door(
        "instagram",
        (),
        (
            Body("text", [f"{_IG}.text"]),
            Body("ad", [f"{_IG}.referral.ads_context_data.ad_title", f"{_IG}.text", f"{_IG}.referral.ref"]),
            Body("post_shared", [f"{_IG}.attachments.payload.title"]),
            Body("reply_to_story", [f"{_IG}.text"]),
            Body("quick_reply", [f"{_IG}.quick_reply.payload", f"{_IG}.text"]),
            Body("postback", ["entry.messaging.postback.title", "entry.messaging.postback.payload"]),
        ),
        ("990000000000001",),
        ("mid",),
    ),
    Door(
        "avito",
        (),
        (
            Body("text", [f"{_AVITO}.text"]),
            Body("item", [f"{_AVITO}.item.title", f"{_AVITO}.item.price_string"]),
            Body("link", [f"{_AVITO}.link.text", f"{_AVITO}.link.preview.title"]),
            Body("location", [f"{_AVITO}.location.title", f"{_AVITO}.location.text"]),
        ),
        ("702000002", "u2i-AbCdEfGhIj~KlMnOpQrStU"),
        ("id",),
    ),
)
