"""Files that customers send when none is given; each of them opens."""

from pathlib import Path

from sandbox.media import Media, image_type

_FOLDER = Path(__file__).parent / "assets"
_SAMPLES = {
    "image": ("photo.jpg", "image/jpeg"),
    "video": ("video.mp4", "video/mp4"),
    "document": ("act.pdf", "application/pdf"),
    "ptt": ("voice.ogg", "audio/ogg; codecs=opus"),
    "audio": ("song.mp3", "audio/mpeg"),
    "sticker": ("sticker.webp", "image/webp"),
}
KINDS = frozenset(_SAMPLES)
VOICE_SECONDS = 4


def sample(kind: str) -> tuple[Media, str]:
    """The file of this kind, and its name."""
    name, mime = _SAMPLES[kind]
    return Media((_FOLDER / name).read_bytes(), mime), name


def is_quicktime(content: bytes) -> bool:
    """A .mov, which WhatsApp does not take reliably (contract §8)."""
    return content[4:12] == b"ftypqt  " or content[4:8] in {b"moov", b"mdat", b"wide", b"free"}


def is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and not is_quicktime(content)


def sniffed(content: bytes) -> str:
    """The media type by the first bytes."""
    if found := image_type(content):
        return found
    if is_mp4(content):
        return "video/mp4"
    if is_quicktime(content):
        return "video/quicktime"
    marks = {b"OggS": "audio/ogg; codecs=opus", b"%PDF": "application/pdf", b"ID3": "audio/mpeg"}
    known = (kind for mark, kind in marks.items() if content.startswith(mark))
    return next(known, "application/octet-stream")
