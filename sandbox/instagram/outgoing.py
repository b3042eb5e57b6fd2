"""What `message` of a send may hold (contract §5), turned into what the customer and the echo get."""

import re
from typing import Any, NamedTuple

from sandbox.instagram import seed
from sandbox.instagram.errors import invalid
from sandbox.instagram.files import LARGEST, Fetcher, is_web_address, sample
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Account, Json, Shop
from sandbox.media import MediaShelf

INVALID = 2534015
MOST_IMAGES, MOST_REPLIES, LONGEST_TITLE = 10, 13, 20


class Draft(NamedTuple):
    """A message that may be sent: `heavy` ones have the smaller rate (§11)."""

    type: str
    content: Json
    extras: Json

    @property
    def heavy(self) -> bool:
        return self.type in {"audio", "video"}


class Drafting:
    """Refuses by 100, mostly with 2534015 "invalid message data"; which check wins is not documented."""

    def __init__(
        self, settings: InstagramSandboxSettings, shop: Shop, fetcher: Fetcher, shelf: MediaShelf
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._fetcher = fetcher
        self._shelf = shelf

    async def draft(self, account: Account, message: object) -> Draft:
        if not isinstance(message, dict):
            invalid("Param message must be an object", INVALID)
        media = [name for name in ("attachment", "attachments") if message.get(name)]
        if len(media) + ("text" in message) != 1:
            invalid("A message has either text or attachments", INVALID)
        replies = message.get("quick_replies")
        if media:
            if replies:
                invalid("Quick replies need a text", INVALID)
            return await self._media(account, media[0], message[media[0]])
        extras = {"quick_replies": _quick_replies(replies)} if replies is not None else {}
        return Draft("text", {"text": self._text(message["text"])}, extras)

    def _text(self, text: object) -> str:
        """At most 1000 bytes of UTF-8; what Meta says to more is not documented: plain 100 (§5.4)."""
        if not isinstance(text, str) or not text.strip():
            invalid("Param message[text] must be a non-empty string", INVALID)
        if len(text.encode()) > self._settings.text_limit:
            invalid(f"Length of param message[text] must be at most {self._settings.text_limit} bytes")
        if not all(is_web_address(link) for link in re.findall(r"https?://\S*", text)):
            invalid("Links in message[text] must be well-formed URLs", INVALID)
        return text

    async def _media(self, account: Account, name: str, given: Any) -> Draft:
        several = isinstance(given, list)
        if several and name == "attachment":
            invalid("Param message[attachment] must be an object", INVALID)
        items = given if several else [given]
        if not all(isinstance(item, dict) for item in items):
            invalid("An attachment must be an object", INVALID)
        if several and (len(items) > MOST_IMAGES or any(item.get("type") != "image" for item in items)):
            invalid(f"Param message[attachments] takes at most {MOST_IMAGES} images", INVALID)
        made = [await self.attachment(account, item) for item in items]
        kind = str(items[0].get("type"))
        return Draft("album" if len(made) > 1 else kind, {"attachments": made}, {})

    async def attachment(self, account: Account, given: Json) -> Json:
        """The attachment as the echo shows it."""
        kind, payload = str(given.get("type")), given.get("payload", {})
        if not isinstance(payload, dict):
            invalid("Param payload must be an object", INVALID)
        if kind in LARGEST:
            return await self._file(account, kind, payload)
        if kind == "like_heart":
            return {"type": "image", "payload": {"url": self._shelf.put(sample("second"))}}
        if kind == "MEDIA_SHARE":
            return self._post(str(payload.get("id")))
        if kind != "template" or payload.get("template_type") not in ("generic", "product"):
            invalid("The attachment type is not supported", INVALID)
        return {"type": "template", "payload": payload}

    async def _file(self, account: Account, kind: str, payload: Json) -> Json:
        if "attachment_id" in payload:
            known = self._shop.uploads.get((account.user_id, str(payload["attachment_id"])))
            if known is None or known["type"] != kind:
                invalid("There is no such uploaded attachment", INVALID)
            return known
        media = await self._fetcher.fetch(kind, payload.get("url"))
        link = self._shelf.put(media, lives=self._settings.attachment_lives)
        return {"type": kind, "payload": {"url": link}}

    def _post(self, number: str) -> Json:
        title = seed.POSTS.get(number)
        if title is None:
            invalid("The post does not exist or belongs to somebody else", INVALID)
        link = self._shelf.put(sample("image"), lives=self._settings.attachment_lives)
        return {"type": "ig_post", "payload": {"url": link, "title": title, "ig_post_media_id": number}}


def _quick_replies(given: object) -> list[Json]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_REPLIES:
        invalid(f"Param quick_replies takes 1 to {MOST_REPLIES} items", INVALID)
    return [_quick_reply(item) for item in given]


def _quick_reply(item: object) -> Json:
    """A title is cut at 20 characters (§5.4)."""
    kind = item.get("content_type") if isinstance(item, dict) else None
    if not isinstance(item, dict) or kind not in ("text", "user_phone", "user_email"):
        invalid("content_type must be text, user_phone or user_email", INVALID)
    if kind != "text":
        return {"content_type": kind}
    title, payload = item.get("title"), item.get("payload")
    if not isinstance(title, str) or not title or not isinstance(payload, str) or not payload:
        invalid("A text quick reply needs title and payload", INVALID)
    return {"content_type": kind, "title": title[:LONGEST_TITLE], "payload": payload}
