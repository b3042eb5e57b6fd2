"""Which content store the settings mean."""

from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.content_folder import FolderStore
from orchestrator.content_store import ContentStore
from orchestrator.media_settings import MediaSettings


def content_store(settings: MediaSettings) -> ContentStore:
    """A bucket for s3://bucket/prefix, else a folder; nothing is opened or made yet."""
    if not settings.content_store.startswith("s3://"):
        return FolderStore(Path(settings.content_store))
    from orchestrator.content_s3 import S3Place, S3Store  # the extra need not be installed

    address = urlsplit(settings.content_store)
    return S3Store(
        S3Place(
            bucket=address.netloc,
            prefix=address.path.strip("/"),
            endpoint=settings.content_s3_endpoint,
            region=settings.content_s3_region,
            key_id=settings.content_s3_key_id,
            secret=settings.content_s3_secret,
        )
    )
