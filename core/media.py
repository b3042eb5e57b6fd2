"""Files to send, checked before anybody trusts them: the type by their bytes where these tell it, the size.

What the bytes do not tell is believed as it was declared, or by the name, if it is of the right kind.
"""

import base64
import binascii
from collections.abc import Collection

from core.capabilities import MediaKind, MediaLimit
from core.channel import MediaFile
from core.errors import Rejected
from core.filetypes import canonical, clean_name, extension_of, is_outer, type_of_bytes, type_of_name
from core.media_kinds import NOUNS

#: Whatever a manifest says, no more is held in memory.
FILE_MAX_BYTES = 50 * 1024 * 1024
_ANY = "application/octet-stream"
_FAMILIES: dict[MediaKind, str] = {"image": "image/", "voice": "audio/", "video": "video/", "document": ""}
#: Containers of both: a voice note in one is called audio.
SOUND_OF = {"video/mp4": "audio/mp4", "video/webm": "audio/webm", "video/3gpp": "audio/3gpp"}
#: Types that bytes always tell: declared without them, it is a lie.
_TOLD_BY_BYTES = "image/"
#: What two bytes tell, a text may begin with by chance.
_WEAK = frozenset({"image/bmp", "audio/mpeg", "audio/aac"})


def decode_base64(text: str, kind: MediaKind, limit: MediaLimit, *, name: str = "") -> MediaFile:
    """The file in a base64 text, with or without a `data:` prefix. Raises Rejected."""
    declared, encoded = "", text
    if text.startswith("data:"):
        head, _, encoded = text.partition(",")
        declared = head.removeprefix("data:").partition(";")[0]
    most = largest(limit)
    if len(encoded) > most * 4 // 3 + most // 40 + 1024:  # with line breaks
        raise too_large(kind, most)
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected(f"The {NOUNS[kind]} is not valid base64.") from error
    return file_of(content, kind, limit, declared=declared, name=name)


def file_of(
    content: bytes, kind: MediaKind, limit: MediaLimit, *, declared: str = "", name: str = ""
) -> MediaFile:
    """The bytes as a file of this kind under a name without dangers. Raises Rejected."""
    if not content and kind != "image":
        raise Rejected(f"The {NOUNS[kind]} is empty.")
    if len(content) > largest(limit):
        raise too_large(kind, largest(limit))
    name = clean_name(name)
    found = _type(content, kind, declared, name)
    allowed = _as_allowed(found, limit.types)
    if not allowed or not found.startswith(_FAMILIES[kind]):
        raise _wrong_type(kind, found, limit.types)
    if kind != "document" or not name:
        stem = "image" if kind == "image" else name.rpartition(".")[0] or kind
        name = f"{stem}.{extension_of(found)}"
    return MediaFile(content, media_type=allowed, name=name)


def check_file(kind: MediaKind, limit: MediaLimit, file: MediaFile) -> None:
    """Whether the messenger takes it, by the manifest. Raises Rejected."""
    if not _as_allowed(canonical(file.media_type), limit.types):
        raise _wrong_type(kind, file.media_type, limit.types)
    if len(file.content) > largest(limit):
        raise too_large(kind, largest(limit))


def largest(limit: MediaLimit) -> int:
    """How many bytes a file may have."""
    return min(limit.max_bytes, FILE_MAX_BYTES)


def too_large(kind: MediaKind, max_bytes: int) -> Rejected:
    """That the file is, in words."""
    return Rejected(f"The {NOUNS[kind]} is larger than {_in_words(max_bytes)}.")


def _type(content: bytes, kind: MediaKind, declared: str, name: str) -> str:
    """By the bytes; else as declared or named. Of a zip the declared type or the name tells more."""
    found = type_of_bytes(content)
    if kind == "voice":
        found = SOUND_OF.get(found, found)
    doubtful = is_outer(found) or (kind == "document" and found in _WEAK)
    if found and not doubtful:
        return found
    said = [one for one in (canonical(declared), type_of_name(name)) if one not in ("", _ANY)]
    believed = [one for one in said if not one.startswith(_TOLD_BY_BYTES)]
    return next(iter(believed), found or (_ANY if kind == "document" else ""))


def _as_allowed(found: str, types: Collection[str]) -> str:
    """The type as the manifest spells it; "" when it is not there."""
    if not types:
        return found
    return next((one for one in types if found and canonical(one) == found), "")


def _wrong_type(kind: MediaKind, found: str, types: Collection[str]) -> Rejected:
    expected = ", ".join(sorted(types)) or f"{_FAMILIES[kind]}*"
    return Rejected(f"This is {found or f'no {NOUNS[kind]} that we know'}; the messenger takes {expected}.")


def _in_words(size: int) -> str:
    megabytes = size / 1024 / 1024
    return f"{megabytes:.0f} MB" if megabytes >= 1 else f"{size} bytes"
