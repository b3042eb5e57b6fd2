"""What the first bytes of a file tell of its type, and what its name and extension tell. Pure."""

import mimetypes
import re

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
)
#: Formats of formats: the bytes tell the outer one, the name or the declared type the inner one.
_OUTER = (
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/heic": "heic",
    "image/webp": "webp",
    "image/avif": "avif",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
    "audio/amr": "amr",
    "audio/webm": "webm",
    "video/3gpp": "3gp",
    "video/x-matroska": "mkv",
    "application/gzip": "gz",
    "application/vnd.rar": "rar",
    f"{_OFFICE}wordprocessingml.document": "docx",
    f"{_OFFICE}spreadsheetml.sheet": "xlsx",
    f"{_OFFICE}presentationml.presentation": "pptx",
}
_BY_EXTENSION = {extension: media_type for media_type, extension in _EXTENSIONS.items()}
#: Other names of the same type.
_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/heif": "image/heic",
    "audio/mp3": "audio/mpeg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/opus": "audio/ogg",
    "audio/x-aac": "audio/aac",
    "audio/x-flac": "audio/flac",
    "application/ogg": "audio/ogg",
    "application/x-zip-compressed": "application/zip",
    "application/x-rar-compressed": "application/vnd.rar",
    "application/x-gzip": "application/gzip",
}
#: The library's own table, not that of the machine.
_KNOWN = mimetypes.MimeTypes()
_WELL_FORMED = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u2028-\u202e\u2066-\u2069]+")
_LONGEST_NAME = 100


def type_of_bytes(content: bytes) -> str:
    """The media type that the first bytes tell; "" for none that we know. Of a zip, that it is one."""
    head = content[:64]
    for look in (_iso_type, _riff_type, _stream_type):
        if found := look(head):
            return found
    return next((media_type for magic, media_type in (*_MAGIC, *_OUTER) if head.startswith(magic)), "")


def is_outer(media_type: str) -> bool:
    """Whether many other types are of this format: a .docx is a zip."""
    return any(media_type == outer for _, outer in _OUTER)


def type_of_name(name: str) -> str:
    """The media type that the file's extension tells; "" for none that we know."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    return _BY_EXTENSION.get(extension) or canonical(_KNOWN.guess_type(f"x.{extension}")[0] or "")


def canonical(media_type: str) -> str:
    """The usual name of a media type, without parameters; "" for what is none."""
    bare = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(bare, bare) if _WELL_FORMED.fullmatch(bare) else ""


def extension_of(media_type: str) -> str:
    """How a file of that type is called, without a dot; "bin" for an unknown one."""
    usual = canonical(media_type)
    return _EXTENSIONS.get(usual) or (_KNOWN.guess_extension(usual) or ".bin")[1:]


def clean_name(name: str) -> str:
    """The name without what leads astray: paths, control characters, changes of direction; may be ""."""
    kept = _NOT_IN_NAMES.sub("_", name.encode("utf-8", "replace").decode()).strip(" .")
    if len(kept) <= _LONGEST_NAME:
        return kept
    stem, _, extension = kept.rpartition(".")
    if not stem or len(extension) > 10:
        return kept[:_LONGEST_NAME]
    return f"{stem[: _LONGEST_NAME - len(extension) - 1]}.{extension}"


def _iso_type(head: bytes) -> str:
    """MP4 and its relatives tell their brand."""
    if head[4:8] != b"ftyp":
        return ""
    brand = head[8:12]
    if brand in _HEIC_BRANDS:
        return "image/heic"
    if brand in (b"avif", b"avis"):
        return "image/avif"
    if brand in _AUDIO_BRANDS:
        return "audio/mp4"
    if brand[:3] == b"3gp":
        return "video/3gpp"
    return "video/quicktime" if brand == b"qt  " else "video/mp4"


def _riff_type(head: bytes) -> str:
    if head[:4] != b"RIFF":
        return ""
    return {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(head[8:12], "")


def _stream_type(head: bytes) -> str:
    """Matroska, and audio frames without a header."""
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head else "video/x-matroska"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    return ""
