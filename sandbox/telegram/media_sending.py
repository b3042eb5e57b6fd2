"""Files: one by one, and as an album (contract §5)."""

import secrets
from functools import partial
from typing import Any

from sandbox.answers import RefusedError
from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.gate import Method, words_of
from sandbox.telegram.outgoing import Outgoing
from sandbox.telegram.uploads import Uploads
from sandbox.telegram.wording import Wording

SENDS = {
    "sendPhoto": "photo",
    "sendDocument": "document",
    "sendVoice": "voice",
    "sendVideo": "video",
    "sendAudio": "audio",
    "sendAnimation": "animation",
    "sendVideoNote": "video_note",
}
UNCAPTIONED = {"video_note"}
ALBUM_KINDS = {"photo": "visual", "video": "visual", "document": "document", "audio": "audio"}
MOST_IN_ALBUM = 10


class MediaSending:
    def __init__(self, outgoing: Outgoing, uploads: Uploads, wording: Wording) -> None:
        self._outgoing = outgoing
        self._uploads = uploads
        self._wording = wording

    def methods(self) -> dict[str, Method]:
        singles = {name: partial(self._single, kind) for name, kind in SENDS.items()}
        return {**singles, "sendMediaGroup": self._album}

    async def _single(self, kind: str, call: Call) -> Any:
        caption = {} if kind in UNCAPTIONED else self._wording.caption(call)
        chat = self._outgoing.chat(call)
        content = await self._uploads.content(call, kind, kind, call.given.get(kind))
        draft = self._outgoing.draft(call, chat, {**content, **caption})
        return self._outgoing.post(call, chat, [draft])[0]

    async def _album(self, call: Call) -> Any:
        """An array of messages; buttons are not for albums, so they are left out."""
        items = _items(call)
        chat = self._outgoing.chat(call)
        album = str(secrets.randbelow(10**16) + 10**16)
        drafts = []
        for number, item in enumerate(items, start=1):
            draft = self._outgoing.draft(call, chat, await self._item(call, item, number))
            draft.album = album
            drafts.append(draft)
        bare = Call({key: value for key, value in call.given.items() if key != "reply_markup"})
        return self._outgoing.post(bare, chat, drafts)

    async def _item(self, call: Call, item: dict[str, Any], number: int) -> dict[str, Any]:
        own = Call(item, call.uploads)
        caption = self._wording.caption(own)
        try:
            content = await self._uploads.content(own, item["type"], "", item.get("media"))
        except RefusedError as error:
            words = words_of(error)
            bad(f'failed to send message #{number} with the error message "{words}"')
        return {**content, **caption}


def _items(call: Call) -> list[dict[str, Any]]:
    """2 to 10 items; the words for a single one are not in the contract."""
    media = call.structure("media")
    if not media:
        bad("there are no messages to send")
    if not isinstance(media, list) or not all(isinstance(item, dict) for item in media):
        bad("can't parse media JSON object")
    if len(media) > MOST_IN_ALBUM:
        bad("too many messages to send as an album")
    if len(media) == 1:
        bad("there must be 2 to 10 messages in an album")
    kinds = [item.get("type") for item in media]
    if any(kind not in ALBUM_KINDS for kind in kinds):
        bad("type of a media in an album must be photo, video, document or audio")
    odd = next((kind for kind in ("document", "audio") if kind in kinds), None)
    if odd and len({ALBUM_KINDS[str(kind)] for kind in kinds}) > 1:
        bad(f"{odd.capitalize()} can't be mixed with other media types")
    return media
