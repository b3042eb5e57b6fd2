"""The content store in a bucket of S3, or of what speaks like it (MinIO, Yandex Object Storage, Ceph).

Needs the extra `s3` (obstore, docs/decisions/0024-content-store.md).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import obstore
from obstore.store import S3Store as Bucket
from pydantic import SecretStr

from core.errors import StorageDown
from orchestrator.content_store import ContentKey, path_of

#: Longest wait for one file, repeats included.
ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class S3Place:
    """Which bucket, and who we are there; `endpoint` "" is Amazon's own."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key_id: str
    secret: SecretStr


class S3Store:
    """Every request is signed (Signature Version 4); path-style addresses, one request per file."""

    def __init__(self, place: S3Place, *, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._bucket = Bucket(
            place.bucket,
            prefix=place.prefix or None,
            endpoint=place.endpoint or None,
            region=place.region,
            access_key_id=place.key_id,
            secret_access_key=place.secret.get_secret_value(),
            virtual_hosted_style_request=False,
            disable_bulk_delete=True,
            client_options={"allow_http": place.endpoint.startswith("http://"), "timeout": f"{seconds}s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=seconds)},
        )

    async def put(self, key: ContentKey, content: bytes) -> None:
        """Keep the bytes; the store's answer means that it has them."""
        path = path_of(key)
        async with self._answering():
            await obstore.put_async(self._bucket, path, content, use_multipart=False)

    async def get(self, key: ContentKey) -> bytes | None:
        """The bytes, or None."""
        path = path_of(key)
        async with self._answering():
            try:
                found = await obstore.get_async(self._bucket, path)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def delete(self, keys: Iterable[ContentKey]) -> None:
        """Remove the bytes."""
        for path in [path_of(key) for key in keys]:
            async with self._answering():
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._bucket, path)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Its errors name addresses and headers, so only their kind goes on."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except (obstore.exceptions.BaseError, OSError, TimeoutError) as error:
            raise StorageDown(f"The content store's bucket fails: {type(error).__name__}.") from error
