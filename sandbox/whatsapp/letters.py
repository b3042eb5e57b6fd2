"""What a person writes, as WhatsApp contents; a text beside a picture is its caption (contract §4.1).

`type` is a type of §4.2, a friendlier name for one, `album`, `edit` or a call. `content` holds webhook keys
of that type and overrides the sample; `body` is text, or base64 where the type has a file, whose media type
is then `mimetype`. Three keys are the sandbox's own: `by` (`customer`, `operator` on the phone, or `crm`
through the same API), `count` of an album, and, for type `unsupported`, `type` as the vendor would name it.
"""

import base64
import binascii
import re
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

from sandbox.answers import refuse
from sandbox.media import Media
from sandbox.vendor import Attached, Letter, picture_of, voice_of
from sandbox.whatsapp import files
from sandbox.whatsapp.files import VOICE_SECONDS
from sandbox.whatsapp.profile import Content
from sandbox.whatsapp.samples import ALIASES, CALLS, POINTING, SAMPLES, UNSUPPORTED

Hand: TypeAlias = Literal["customer", "operator", "crm"]
ALBUM_AT_MOST = 30
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w=.+-]+)*", re.ASCII)
PICTURES = frozenset({"album", "image"})
CAPTIONED = frozenset({"album", "image", "video", "document"})
WORDED = frozenset(
    {"chat", "edit", "poll", "buttons", "list", "buttons_response", "list_response", "reaction"}
)
"""Types whose `body` is what `text` says; beside the others a text is a message of its own."""


def kind_of(letter: Letter) -> str:
    """The vendor's name of the type, or 422."""
    kind = ALIASES.get(letter.type or "", letter.type or "")
    known = {*SAMPLES, *CALLS, "album", "edit", ""}
    if kind not in known:
        refuse(422, f"unknown type; WhatsApp has {', '.join(sorted({*known, *ALIASES} - {''}))}")
    return kind


def hand_of(letter: Letter) -> Hand:
    """Who writes."""
    by = (letter.content or {}).get("by", "customer")
    if by not in get_args(Hand):
        refuse(422, f"content.by: must be one of {', '.join(get_args(Hand))}")
    return by  # type: ignore[no-any-return]  # checked in the line above


def contents_of(letter: Letter, kind: str, target: str) -> list[Content]:
    """In the order text or picture, voice, other; `target` is the message that it is about."""
    extra = {key: value for key, value in (letter.content or {}).items() if key not in {"by", "count"}}
    pictured, spoken = bool(letter.image) or kind == "album", bool(letter.voice)
    contents: list[Content] = []
    if pictured:
        contents += _pictures(letter, extra if kind in PICTURES else {}, kind)
    elif letter.text and kind not in CAPTIONED | WORDED:
        contents.append(Content("chat", letter.text))
    if spoken:
        contents.append(_voice(letter, extra if kind == "ptt" else {}))
    if kind and not (pictured and kind in PICTURES) and not (spoken and kind == "ptt"):
        contents.append(_other(kind, extra, "" if pictured else letter.text or ""))
    return [_about(content, kind, target) for content in contents]


def _about(content: Content, kind: str, target: str) -> Content:
    return replace(content, about=target, reply=bool(target) and kind not in POINTING)


def _pictures(letter: Letter, extra: dict[str, Any], kind: str) -> list[Content]:
    """An album is so many messages, the caption on the first (how they hang together is not documented)."""
    count = (letter.content or {}).get("count", 3) if kind == "album" else 1
    if type(count) is not int or not 1 <= count <= ALBUM_AT_MOST:
        refuse(422, f"content.count: must be 1 to {ALBUM_AT_MOST}")
    given = letter.image if isinstance(letter.image, Attached) else None
    media, name = (picture_of(given), "") if given else files.sample("image")
    first = {"caption": letter.text or "", "file_name": name, **extra}
    return [Content("image", "", first if not n else {**first, "caption": ""}, media) for n in range(count)]


def _voice(letter: Letter, extra: dict[str, Any]) -> Content:
    given = letter.voice if isinstance(letter.voice, Attached) else None
    media, name = (voice_of(given), "") if given else files.sample("ptt")
    if media.type == "audio/webm":  # a browser recorded it; a phone puts the same Opus into Ogg
        media = Media(media.content, files.sample("ptt")[0].type)
    return Content("ptt", "", {"file_name": name, "length_seconds": VOICE_SECONDS, **extra}, media)


def _other(kind: str, extra: dict[str, Any], text: str) -> Content:
    body = extra.pop("body", None)
    if kind == "edit":
        return Content("chat", text or str(body or "Исправлено"), edit=True)
    sample = SAMPLES[kind]
    if kind in files.KINDS:
        captioned = {"caption": text} if text and kind in CAPTIONED else {}
        return _with_file(kind, {**sample.extra, **captioned, **extra}, body)
    words = text if kind in WORDED and text else sample.body
    if body is not None:
        words = str(body)
    named = str(extra.pop("type", kind)) if kind == UNSUPPORTED else kind
    return Content(named, words, {**sample.extra, **extra})


def _with_file(kind: str, extra: dict[str, Any], encoded: object) -> Content:
    """The given bytes under the given `mimetype`, or the sample."""
    media, name = files.sample(kind)
    mime = str(extra.pop("mimetype", "") or media.type)
    if not MEDIA_TYPE.fullmatch(mime):
        refuse(422, "content.mimetype: not a media type")
    content = media.content if encoded is None else _decoded(encoded)
    return Content(kind, "", {"file_name": name, **extra}, Media(content, mime))


def _decoded(encoded: object) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError):
        refuse(422, "content.body: not base64")
