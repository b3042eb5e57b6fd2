"""Photos, documents and voice notes as VK's objects, whose links really open (contract §4.4)."""

import secrets
from pathlib import Path
from typing import Any

from sandbox.media import Media, MediaShelf, image_size
from sandbox.vk.community import Community

FILES = Path(__file__).with_name("files")
PHOTO_BOXES = (("z", 1080), ("s", 75), ("y", 807), ("m", 130), ("x", 604), ("p", 200), ("w", 2560))
SAMPLE_WORDS = "Сколько стоит новый экран?"
DOCUMENT_TYPES = {
    "txt": 1,
    "pdf": 1,
    "doc": 1,
    "docx": 1,
    "zip": 2,
    "rar": 2,
    "gif": 3,
    "jpg": 4,
    "jpeg": 4,
    "png": 4,
    "ogg": 5,
    "wav": 5,
    "mp4": 6,
    "webm": 6,
    "epub": 7,
    "fb2": 7,
}
UNKNOWN_DOCUMENT = 8


def sample(name: str, kind: str) -> Media:
    return Media((FILES / name).read_bytes(), kind)


def sample_voice() -> Media:
    """The recorded question of the shelf, as opus in Ogg."""
    return sample("voice.ogg", "audio/ogg")


class MediaObjects:
    """Makes objects of files and gives them ids, owners and keys."""

    def __init__(self, community: Community, shelf: MediaShelf, transcript_after: float) -> None:
        self._community = community
        self._shelf = shelf
        self._transcript_after = transcript_after

    def link(self, media: Media) -> str:
        return self._shelf.put(media)

    def photo(self, owner: int, media: Media) -> dict[str, Any]:
        """Sizes in no order, none larger than the picture; the largest is the picture itself."""
        link, name = self._shelf.put(media), media.type.removeprefix("image/")
        width, height = image_size(media.content) or (PHOTO_BOXES[0][1], PHOTO_BOXES[0][1])
        sizes = [
            {"type": letter, "url": f"{link}/{letter}.{name}", **_scaled(width, height, box)}
            for letter, box in PHOTO_BOXES
            if box <= max(width, height) or letter in {"s", "m", "x"}
        ]
        largest = {"type": "base", "url": f"{link}/base.{name}", "width": width, "height": height}
        return self._community.keep(
            "photo",
            owner,
            {
                "album_id": -3 if owner > 0 else -64,
                "date": self._community.now(),
                "text": "",
                "access_key": new_access_key(),
                "sizes": sizes,
                "orig_photo": largest,
            },
        )

    def document(self, owner: int, media: Media, title: str) -> dict[str, Any]:
        ext = title.rpartition(".")[2].lower() if "." in title else "bin"
        return self._community.keep(
            "doc",
            owner,
            {
                "title": title,
                "size": len(media.content),
                "ext": ext,
                "date": self._community.now(),
                "type": DOCUMENT_TYPES.get(ext, UNKNOWN_DOCUMENT),
                "url": f"{self._shelf.put(media)}/document.{ext}",
                "access_key": new_access_key(),
            },
        )

    def voice(self, owner: int, media: Media, words: str = SAMPLE_WORDS) -> dict[str, Any]:
        """Both links open; only the sample has a real MP3 behind `link_mp3`, as nothing here converts."""
        other = sample("voice.mp3", "audio/mpeg") if media == sample_voice() else media
        thing = self._community.keep(
            "audio_message",
            owner,
            {
                "duration": seconds_of(media.content),
                "waveform": [0, 3, 9, 4, 7, 2],
                "link_ogg": f"{self._shelf.put(media)}/voice.ogg",
                "link_mp3": f"{self._shelf.put(other)}/voice.mp3",
                "access_key": new_access_key(),
            },
        )
        if self._transcript_after:
            ready_at = self._community.clock() + self._transcript_after
            self._community.transcripts[thing["id"]] = (ready_at, words)
        return thing

    def graffiti(self, owner: int, media: Media) -> dict[str, Any]:
        width, height = image_size(media.content) or (200, 200)
        fields = {"url": f"{self._shelf.put(media)}/graffiti.png", "width": width, "height": height}
        return self._community.keep("graffiti", owner, {**fields, "access_key": new_access_key()})


def new_access_key() -> str:
    return secrets.token_hex(9)


def is_ogg(content: bytes) -> bool:
    return content.startswith(b"OggS")


def seconds_of(content: bytes) -> int:
    """Length by the granule of the last Ogg page (opus counts at 48 kHz); 1 at least."""
    last = content.rfind(b"OggS")
    if last < 0 or len(content) < last + 14:
        return 1
    return max(1, round(int.from_bytes(content[last + 6 : last + 14], "little", signed=True) / 48_000))


def _scaled(width: int, height: int, box: int) -> dict[str, int]:
    ratio = min(1.0, box / max(width, height))
    return {"width": max(1, round(width * ratio)), "height": max(1, round(height * ratio))}
