"""What a customer writes, as drafts of messages (contract §4): text becomes a caption where one may stand.

`type` is a file kind (photo, voice, audio, video, video_note, animation, sticker, document), an `album`,
a content of `samples.CONTENTS`, an `own_contact`, a service kind, or says how it is written: `forward`,
`quote` (part of the quoted message), `start` (with `payload`), `view_once`, `story_reply`.
`content` replaces a sample, or gives fields of a file: `base64`, `mime_type`, `file_name`, `file_size`, ...
"""

import base64
import binascii
import secrets
from typing import Any

from sandbox.answers import refuse
from sandbox.media import Media
from sandbox.telegram.attachments import KINDS, Attachments
from sandbox.telegram.formatting import found_entities
from sandbox.telegram.samples import CONTENTS, PHONE, sample
from sandbox.telegram.shop import Chat, Draft, Person, Shop
from sandbox.telegram.views import user_view
from sandbox.vendor import Letter, picture_of, voice_of

SAMPLES = {
    "photo": "photo_y.jpg",
    "voice": "voice.oga",
    "audio": "audio.mp3",
    "video": "video.mp4",
    "video_note": "video_note.mp4",
    "animation": "animation.mp4",
    "sticker": "sticker.webp",
    "document": "receipt.pdf",
}
FILE_NAMES = {"document": "receipt.pdf", "audio": "audio.mp3", "video": "video.mp4", "animation": "a.mp4"}
CAPTIONED = {"photo", "voice", "audio", "video", "animation", "document"}
SERVICE = ("new_chat_members", "left_chat_member", "pinned_message", "group_chat_created")
MANNERS = ("text", "forward", "quote", "start", "view_once", "story_reply", "own_contact", "album")
TYPES = sorted({*KINDS, *CONTENTS, *SERVICE, *MANNERS})


class Letters:
    def __init__(self, shop: Shop, attachments: Attachments) -> None:
        self._shop = shop
        self._attachments = attachments

    def drafts(self, letter: Letter, chat: Chat, author: Person) -> list[Draft]:
        """One draft per message, in the order picture, voice, other; the text first or as a caption."""
        if letter.type and letter.type not in TYPES:
            refuse(422, f"unknown type; Telegram has {', '.join(TYPES)} and the deeds")
        drafts = self._files(letter)
        if letter.type:
            drafts += self._typed(letter, chat, author)
        if letter.text:
            drafts = _worded(letter.text, drafts)
        self._answer(letter, chat, drafts[0])
        if letter.type == "forward":
            for draft in drafts:
                draft.extras |= self._origin()
        for draft in drafts:
            draft.hidden = letter.type == "view_once"
        return drafts

    def own_contact(self, person: Person) -> Draft:
        """What a `request_contact` button sends: the sender's own number, with the sender's id."""
        number = str(int(PHONE) + person.id % 1_000_000)
        names = {"first_name": person.first_name, "user_id": person.id}
        return Draft({"contact": {"phone_number": number, **names}})

    def _files(self, letter: Letter) -> list[Draft]:
        drafts = []
        if letter.image:
            picture = sample(SAMPLES["photo"]) if letter.image is True else picture_of(letter.image)
            drafts.append(Draft(self._attachments.of("photo", picture)))
        if letter.voice:
            recording = sample(SAMPLES["voice"]) if letter.voice is True else voice_of(letter.voice)
            drafts.append(Draft(self._attachments.of("voice", recording)))
        return drafts

    def _typed(self, letter: Letter, chat: Chat, author: Person) -> list[Draft]:
        kind, content = letter.type or "", dict(letter.content or {})
        if kind in KINDS:
            return [self._file(kind, content)]
        if kind == "view_once":
            return [self._file("photo", content)]
        if kind == "album":
            return self._album(content)
        if kind == "own_contact":
            return [self.own_contact(author)]
        if kind == "start":
            return [_text(f"/start {content.get('payload', '')}".strip())]
        if kind in SERVICE:
            return [Draft(content or self._service(kind, chat, author))]
        if kind in CONTENTS:
            return [Draft(_merged(kind, letter.content))]
        return [] if letter.text else [_text(str(content.get("text", "Здравствуйте!")))]

    def _file(self, kind: str, content: dict[str, Any]) -> Draft:
        caption = content.pop("caption", None)
        given, mime = content.pop("base64", None), content.get("mime_type")
        media = sample(SAMPLES[kind]) if given is None else Media(_decoded(given), mime or "")
        if kind in FILE_NAMES and given is None:
            content.setdefault("file_name", FILE_NAMES[kind])
        made = self._attachments.of(kind, media, content)
        return Draft(made | ({"caption": caption} if caption else {}))

    def _album(self, content: dict[str, Any]) -> list[Draft]:
        """`items`: kinds, or objects with `type` and a file's fields; three photos unless given."""
        count = content.get("count", 3)
        items = content.get("items") or ["photo"] * (count if isinstance(count, int) else 0)
        if not isinstance(items, list) or not 2 <= len(items) <= 10:
            refuse(422, "an album has 2 to 10 items")
        album = f"139{secrets.randbelow(10**14):014d}"
        drafts = []
        for item in items:
            fields = dict(item) if isinstance(item, dict) else {"type": item}
            kind = str(fields.pop("type", "photo"))
            if kind not in CAPTIONED:
                refuse(422, "an album has photos, videos, documents or audios")
            draft = self._file(kind, fields)
            draft.album = album
            drafts.append(draft)
        return drafts

    def _answer(self, letter: Letter, chat: Chat, draft: Draft) -> None:
        """`quote` names the message that is answered; the type `quote` takes a part of it."""
        if letter.type == "story_reply":
            draft.extras["reply_to_story"] = CONTENTS["story"]["story"]
        if not letter.quote:
            return
        target = self._shop.messages.get(letter.quote)
        if target is None or target.chat is not chat:
            refuse(404, "quote: there is no such message in this chat")
        draft.reply_to = target
        if letter.type == "quote":
            said = str(target.content.get("text") or target.content.get("caption") or "")
            part = str((letter.content or {}).get("part") or said[:20])
            place = max(said.find(part), 0)
            draft.extras["quote"] = {"text": part, "position": place, "is_manual": True}

    def _origin(self) -> dict[str, Any]:
        date = int(self._shop.now()) - 3600
        sender = {"id": 900_000_009, "is_bot": False, "first_name": "Ольга"}
        origin = {"type": "user", "sender_user": sender, "date": date}
        return {"forward_origin": origin, "forward_from": sender, "forward_date": date}

    def _service(self, kind: str, chat: Chat, author: Person) -> dict[str, Any]:
        if kind == "pinned_message":
            pinned = {"message_id": chat.last_id, "chat": {"id": chat.id, "type": chat.type}, "date": 0}
            return {kind: pinned}
        user = user_view(author)
        said: dict[str, Any] = {"new_chat_members": [user], "left_chat_member": user}
        return {kind: said.get(kind, True)}


def _text(words: str) -> Draft:
    entities = found_entities(words)
    return Draft({"text": words, **({"entities": entities} if entities else {})})


def _worded(words: str, drafts: list[Draft]) -> list[Draft]:
    if drafts and CAPTIONED & set(drafts[0].content):
        drafts[0].content["caption"] = words
        return drafts
    return [_text(words), *drafts]


def _merged(kind: str, given: dict[str, Any] | None) -> dict[str, Any]:
    """The sample, or the given object, with or without its key around it."""
    if given is None:
        return dict(CONTENTS[kind])
    return given if set(given) & set(CONTENTS[kind]) else {next(iter(CONTENTS[kind])): given}


def _decoded(given: object) -> bytes:
    try:
        return base64.b64decode(str(given), validate=True)
    except (binascii.Error, ValueError):
        refuse(422, "content.base64: not base64")
