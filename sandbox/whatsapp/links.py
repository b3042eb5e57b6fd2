"""Signed links to media, which expire (contract §3.5, §4.1), and avatars."""

from pathlib import PurePosixPath
from urllib.parse import quote

from sandbox.media import MediaShelf, made_up_picture
from sandbox.timing import Clock
from sandbox.whatsapp.profile import Message

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "application/pdf": "pdf",
}


class Links:
    """One signed link per message, made when it is first asked for, and one for people to keep."""

    def __init__(self, shelf: MediaShelf, now: Clock, lives: float) -> None:
        self._shelf = shelf
        self._now = now
        self._lives = lives
        self._kept: dict[str, str] = {}
        self._avatar = ""

    def sign(self, message: Message) -> tuple[str, int]:
        """The link and the second it expires; `("", 0)` without media."""
        media = message.content.media
        if media is None:
            return "", 0
        if not message.link:
            address = f"{self._shelf.put(media, lives=self._lives)}/{quote(file_name(message))}"
            message.link = f"{address}?X-Amz-Expires={self._lives:.0f}"
            message.link_expires = int(self._now() + self._lives)
        return message.link, message.link_expires

    def fresh(self, message: Message) -> tuple[str, int]:
        """A new link in place of the old one."""
        message.link = ""
        return self.sign(message)

    def lasting(self, message: Message) -> str | None:
        """Where the person on the phone opens it."""
        media = message.content.media
        if media is None:
            return None
        if message.id not in self._kept:
            self._kept[message.id] = f"{self._shelf.put(media)}/{quote(file_name(message))}"
        return self._kept[message.id]

    def avatar(self) -> str:
        """`thumbnail`: the sender's picture, never the media."""
        if not self._avatar:
            self._avatar = f"{self._shelf.put(made_up_picture(96, 96))}/tumb.png"
        return self._avatar

    def forget(self) -> None:
        self._kept.clear()


def file_name(message: Message) -> str:
    """The name the sender gave, without folders, or one by the type."""
    given = PurePosixPath(str(message.content.key("file_name"))).name.lstrip(".")
    media = message.content.media
    kind = media.type.partition(";")[0] if media else ""
    return given or f"{message.id}.{EXTENSIONS.get(kind, 'bin')}"
