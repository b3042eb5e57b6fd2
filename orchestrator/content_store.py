"""Where the bytes of customers' files are kept, each under the hash of what is in it."""

import hashlib
import re
from collections.abc import Iterable
from typing import NewType, Protocol

#: sha256 of the bytes, 64 hexadecimal digits.
ContentKey = NewType("ContentKey", str)

_KEY = re.compile(r"[0-9a-f]{64}")


class ContentStore(Protocol):
    """A folder or a bucket. Every method raises StorageDown when it cannot be reached or refuses us."""

    async def put(self, key: ContentKey, content: bytes) -> None:
        """Keep the bytes; they are on the disk when this returns. Repeating it is harmless."""

    async def get(self, key: ContentKey) -> bytes | None:
        """The bytes, or None when they are not there."""

    async def delete(self, keys: Iterable[ContentKey]) -> None:
        """Remove the bytes; what is not there is no error."""


def key_of(content: bytes) -> ContentKey:
    """The name of these bytes in every store."""
    return ContentKey(hashlib.sha256(content).hexdigest())


def path_of(key: ContentKey) -> str:
    """Where the bytes lie in a store: `ab/cd/abcd…`. ValueError for what is no key: it may lead anywhere."""
    if not _KEY.fullmatch(key):
        raise ValueError("not the key of a content")
    return f"{key[:2]}/{key[2:4]}/{key}"
