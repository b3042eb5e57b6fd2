"""Files behind file_ids: kept, found, and served under paths that last an hour (contract §6)."""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from sandbox.media import Media, MediaShelf
from sandbox.telegram.errors import bad
from sandbox.timing import Clock

LARGEST_DOWNLOAD = 20 << 20
FOLDERS = {
    "photo": ("photos", "AgACAgIAAxkBAA"),
    "voice": ("voice", "AwACAgIAAxkBAA"),
    "audio": ("music", "CQACAgIAAxkBAA"),
    "video": ("videos", "BAACAgIAAxkBAA"),
    "video_note": ("video_notes", "DQACAgIAAxkBAA"),
    "animation": ("animations", "CgACAgIAAxkBAA"),
    "sticker": ("stickers", "CAACAgIAAxkBAA"),
    "document": ("documents", "BQACAgIAAxkBAA"),
    "thumbnail": ("thumbnails", "AAMCAgADGQEAA"),
}
ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/ogg": "oga",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "application/pdf": "pdf",
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`unique_id` is the same for the same bytes; `link` is the phone's.

    `size` is what Telegram says, which a test may claim larger than the bytes.
    """

    file_id: str
    unique_id: str
    kind: str
    media: Media
    size: int
    link: str

    def keys(self) -> dict[str, object]:
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": self.size}


class Files:
    def __init__(self, shelf: MediaShelf, now: Clock, link_life: float) -> None:
        self._shelf = shelf
        self._now = now
        self._life = link_life
        self._files: dict[str, StoredFile] = {}
        self._paths: dict[str, tuple[StoredFile, float]] = {}

    def keep(self, kind: str, media: Media, size: int | None = None) -> StoredFile:
        link = self._shelf.put(media)
        digest = sha256(kind.encode() + media.content).digest()
        unique = ("AQAD" if kind == "photo" else "AgAD") + urlsafe_b64encode(digest[:9]).decode()
        file_id = FOLDERS[kind][1] + secrets.token_urlsafe(30)
        kept = StoredFile(file_id, unique, kind, media, len(media.content) if size is None else size, link)
        self._files[kept.file_id] = kept
        return kept

    def find(self, file_id: str) -> StoredFile | None:
        return self._files.get(file_id)

    def locate(self, file_id: str) -> dict[str, object]:
        """The File object of getFile, with a fresh path."""
        kept = self._files.get(file_id)
        if kept is None:
            bad("wrong file_id or the file is temporarily unavailable")
        if kept.size > LARGEST_DOWNLOAD:
            bad("file is too big")
        number = list(self._files).index(file_id)
        ending = ENDINGS.get(kept.media.type, "bin")
        path = f"{FOLDERS[kept.kind][0]}/file_{number}.{ending}"
        self._paths[path] = (kept, self._now() + self._life)
        return {**kept.keys(), "file_path": path}

    def open(self, path: str) -> Media | None:
        """The bytes under a path, while its link is valid."""
        kept, until = self._paths.get(path, (None, 0.0))
        return kept.media if kept and self._now() < until else None

    def link(self, file_id: object) -> str | None:
        """Where the phone page sees the file."""
        kept = self._files.get(str(file_id))
        return kept.link if kept else None

    def forget(self) -> None:
        self._files.clear()
        self._paths.clear()
