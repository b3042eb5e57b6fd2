"""What a customer writes, as VK messages: files have captions, voice notes and stickers come alone."""

import base64
import binascii
import json
from typing import Any

from sandbox.answers import refuse
from sandbox.media import Media, made_up_picture
from sandbox.vendor import Letter, picture_of, voice_of
from sandbox.vk.community import CHATS_FROM, Community, Dialog, Draft, Message, User
from sandbox.vk.media_objects import SAMPLE_WORDS, MediaObjects, sample, sample_voice
from sandbox.vk.samples import LOCATION, SAMPLES

ALONE = {"sticker", "graffiti", "gift", "call", "story"}
MADE_HERE = {
    "text",
    "image",
    "photo",
    "album",
    "voice",
    "document",
    "gif",
    "location",
    "forward",
    "cropped",
    "button",
    "start",
    "ref",
    "service",
    "unknown_attachment",
}
TYPES = MADE_HERE | set(SAMPLES)


class Letters:
    """Turns a letter into the drafts of one or more messages."""

    def __init__(self, community: Community, objects: MediaObjects) -> None:
        self._community = community
        self._objects = objects

    def drafts(self, letter: Letter, user: User, dialog: Dialog) -> list[Draft]:
        """In the order: text with files, sticker and the like, voice."""
        main, content = Draft(text=letter.text or ""), letter.content or {}
        kind = {"image": "photo"}.get(letter.type or "", letter.type or "")
        alone: list[Draft] = []
        if letter.image or kind == "photo":
            main.attachments.append(self._photo(user, picture_of(letter.image or True)))
        if kind in SAMPLES:
            made = {"type": kind, kind: {**SAMPLES[kind](self._objects, user.id), **content}}
            (alone.append(Draft(attachments=[made])) if kind in ALONE else main.attachments.append(made))
        elif kind and kind not in {"photo", "voice"}:
            self._shape(main, kind, content, (user, dialog))
        if letter.voice or kind == "voice":
            alone.append(Draft(attachments=[self._voice(letter, user, content)]))
        said = main.text or main.attachments or main.forwarded or main.extras
        return [main, *alone] if said else alone

    def _shape(self, draft: Draft, kind: str, content: dict[str, Any], where: tuple[User, Dialog]) -> None:
        """What a type adds to the message."""
        user, dialog = where
        if kind == "text":
            draft.text = draft.text or str(content.get("text") or "Здравствуйте, цена актуальна?")
        elif kind == "album":
            count = _counted(content)
            draft.attachments += [self._photo(user, made_up_picture(640 - n, 480)) for n in range(count)]
        elif kind in {"document", "gif"}:
            draft.attachments.append(self._document(user, kind, content))
        elif kind == "location":
            draft.extras["geo"] = {**LOCATION, **content}
        elif kind in {"forward", "cropped"}:
            draft.forwarded = [self._forwarded(user, dialog, content, deep=kind == "cropped")]
        elif kind == "unknown_attachment":
            app = {"id": 1, "type": "app", "title": "Калькулятор", **content}
            draft.attachments.append({"type": "mini_app", "mini_app": app})
        else:
            _talk(draft, kind, content, dialog)

    def _photo(self, user: User, media: Media) -> dict[str, Any]:
        return {"type": "photo", "photo": self._objects.photo(user.id, media)}

    def _voice(self, letter: Letter, user: User, content: dict[str, Any]) -> dict[str, Any]:
        """`content.transcript` are the words VK will hear; other fields are taken as they are."""
        given = letter.voice if letter.voice and letter.voice is not True else None
        media = voice_of(given) if given else sample_voice()
        words = content.get("transcript", SAMPLE_WORDS)
        thing = self._objects.voice(user.id, media, str(words))
        if "transcript_state" in content:
            self._community.transcripts.pop(thing["id"], None)
            thing |= {name: value for name, value in content.items() if name.startswith("transcript")}
        return {"type": "audio_message", "audio_message": thing}

    def _document(self, user: User, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        default = ("кот.gif", "image/gif") if kind == "gif" else ("прайс.pdf", "application/pdf")
        if "base64" in content:
            media = Media(_decoded(content["base64"]), str(content.get("type", "application/octet-stream")))
        else:
            media = sample("cat.gif" if kind == "gif" else "price.pdf", default[1])
        title = str(content.get("title", default[0]))
        return {"type": "doc", "doc": self._objects.document(user.id, media, title)}

    def _forwarded(self, user: User, dialog: Dialog, content: dict[str, Any], *, deep: bool) -> Message:
        """A known message, else one from elsewhere; `cropped` forwards forwards."""
        if "message" in content:
            known = self._community.by_key(str(content["message"]))
            return known or refuse(404, "content.message: there is no such message")
        inner = _foreign(self._community, 3, "самое внутреннее", [])
        middle = _foreign(self._community, 2, "внутреннее", [inner]) if deep else None
        words = str(content.get("text", "Переслано от мастера"))
        return _foreign(self._community, 1, words, [middle] if middle else [])


def _talk(draft: Draft, kind: str, content: dict[str, Any], dialog: Dialog) -> None:
    """Buttons, the start of a dialog, links with a reference, service messages."""
    if kind == "button":
        label, payload = _button_of(dialog)
        draft.text = draft.text or str(content.get("label", label))
        draft.payload = _as_json(content.get("payload", payload))
    elif kind == "start":
        draft.text, draft.payload = draft.text or "Начать", '{"command":"start"}'
    elif kind == "ref":
        draft.text = draft.text or "Здравствуйте, я по ссылке"
        draft.extras |= {"ref": "shop", "ref_source": "banner7", **content}
    elif kind == "service":
        draft.extras["action"] = {"type": "chat_title_update", "text": "Новое название", **content}
    else:
        refuse(422, f"unknown type; VK has {', '.join(sorted(TYPES))}")


def _button_of(dialog: Dialog) -> tuple[str, Any]:
    """The first text button of the last keyboard that was sent, else a made-up one."""
    for message in reversed(dialog.messages):
        for row in (message.draft.keyboard or {}).get("buttons", []):
            for button in row:
                if button["action"]["type"] == "text":
                    return button["action"]["label"], button["action"].get("payload", "")
    return "Цены", '{"a":"price"}'


def _as_json(payload: Any) -> str | None:
    if payload in (None, ""):
        return None
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)


def _foreign(community: Community, cmid: int, text: str, forwarded: list[Message]) -> Message:
    """A message of a dialog between other people, which no method can read."""
    draft = Draft(text=text, forwarded=forwarded)
    return Message(0, cmid, CHATS_FROM + 900, 77_900, community.now() - 3600, "vk", draft)


def _counted(content: dict[str, Any]) -> int:
    count = content.get("count", 3)
    if type(count) is not int or not 1 <= count <= 10:
        refuse(422, "content.count: an album has 1 to 10 photos")
    return count


def _decoded(given: Any) -> bytes:
    try:
        return base64.b64decode(str(given), validate=True)
    except (binascii.Error, ValueError):
        refuse(422, "content.base64: not base64")
