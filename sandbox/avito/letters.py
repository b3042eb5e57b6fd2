"""What a customer writes, as Avito messages: one per part, because Avito has no captions."""

import uuid
from typing import Any

from sandbox.answers import refuse
from sandbox.avito.pictures import sizes_of
from sandbox.avito.samples import SAMPLES
from sandbox.avito.shop import Chat, Recording, Shop
from sandbox.media import MediaShelf
from sandbox.vendor import Letter, picture_of, voice_of


def parts_of(letter: Letter, chat: Chat, shop: Shop, shelf: MediaShelf) -> list[tuple[str, dict[str, Any]]]:
    """`(type, content)` in the order text, image, voice, other."""
    parts: list[tuple[str, dict[str, Any]]] = []
    if letter.text:
        parts.append(("text", {"text": letter.text}))
    if letter.image or letter.type == "image":
        parts.append(("image", {"image": {"sizes": sizes_of(picture_of(letter.image or True), shelf)}}))
    if letter.voice or letter.type == "voice":
        media = voice_of(letter.voice or True)
        voice_id = f"v-{uuid.uuid4().hex[:12]}"
        shop.recordings[voice_id] = Recording(chat.id, media, shelf.put(media))
        parts.append(("voice", {"voice": {"voice_id": voice_id}}))
    if letter.type and letter.type not in {"image", "voice"}:
        parts += _other(letter)
    return parts


def _other(letter: Letter) -> list[tuple[str, dict[str, Any]]]:
    kind = letter.type or ""
    if kind not in SAMPLES:
        refuse(422, f"unknown type; Avito has {', '.join(sorted({*SAMPLES, 'image', 'voice'}))}")
    if kind == "text" and letter.text:
        return []
    return [(kind, SAMPLES[kind] if letter.content is None else letter.content)]
