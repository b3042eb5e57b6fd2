"""Files as message contents (contract §4): one builder per kind, for what comes in and what goes out."""

from typing import Any

from sandbox.media import Media, image_size
from sandbox.telegram.files import Files
from sandbox.telegram.samples import sample

KINDS = ("photo", "voice", "audio", "video", "video_note", "animation", "sticker", "document")
UNKNOWN_SIZE = (1280, 960)
SMALLER = (("photo_s.jpg", 90), ("photo_m.jpg", 320))


class Attachments:
    """`of` gives the content keys of a file; `facts` are fields that differ from the usual ones.

    Smaller sizes of a picture, and thumbnails, are the sample's: nothing here can shrink a picture.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    def of(self, kind: str, media: Media, facts: dict[str, Any] | None = None) -> dict[str, Any]:
        given = dict(facts or {})
        size = given.pop("file_size", None)
        if kind == "photo":
            return {"photo": self._sizes(media, size)}
        fields = {**self._usual(kind, media), **given, **self._files.keep(kind, media, size).keys()}
        if kind in {"video", "video_note", "animation", "sticker"}:
            fields |= self._thumbnail()
        return (
            {"animation": fields, "document": _as_document(fields)} if kind == "animation" else {kind: fields}
        )

    def again(self, kind: str, file_id: str) -> dict[str, Any] | None:
        """The content of a file that Telegram already has; None when it has not."""
        kept = self._files.find(file_id)
        return self.of(kept.kind if kept.kind in KINDS else kind, kept.media) if kept else None

    def _sizes(self, media: Media, size: int | None) -> list[dict[str, Any]]:
        """Ascending; the last one is the picture as given."""
        width, height = _size_of(media)
        small = [(sample(name), limit) for name, limit in SMALLER if limit < max(width, height)]
        shown = [
            {**self._files.keep("photo", picture).keys(), **_fitted(width, height, limit)}
            for picture, limit in small
        ]
        own = self._files.keep("photo", media, size).keys()
        return [*shown, {**own, "width": width, "height": height}]

    def _thumbnail(self) -> dict[str, Any]:
        """Written twice, under the new name and the old one."""
        kept = self._files.keep("thumbnail", sample("photo_m.jpg")).keys()
        shown = {**kept, "width": 320, "height": 240}
        return {"thumbnail": shown, "thumb": shown}

    def _usual(self, kind: str, media: Media) -> dict[str, Any]:
        mime = {"mime_type": media.type} if media.type else {}
        usual: dict[str, dict[str, Any]] = {
            "voice": {"duration": 3, **mime},
            "audio": {"duration": 3, **mime, "title": "Запись", "performer": "Клиент"},
            "video": {"duration": 2, "width": 320, "height": 240, **mime},
            "video_note": {"length": 240, "duration": 2},
            "animation": {"duration": 1, "width": 200, "height": 200, **mime},
            "sticker": {
                "width": 512,
                "height": 384,
                "emoji": "👍",
                "set_name": "repair",
                "is_animated": False,
                "is_video": False,
                "type": "regular",
            },
            "document": mime,
        }
        return usual[kind]


def _as_document(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in {"duration", "width", "height"}}


def _size_of(media: Media) -> tuple[int, int]:
    return image_size(media.content) or UNKNOWN_SIZE


def _fitted(width: int, height: int, limit: int) -> dict[str, int]:
    """The picture's shape within a square."""
    scale = limit / max(width, height)
    return {"width": max(int(width * scale), 1), "height": max(int(height * scale), 1)}
