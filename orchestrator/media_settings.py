"""Settings of customers' files: where they are kept, what is taken, and who hears voice notes."""

from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from core.filetypes import canonical
from core.media import FILE_MAX_BYTES
from core.settings import EnvironmentSettings

MEGABYTE = 1024 * 1024
_S3 = "s3://"


class MediaSettings(EnvironmentSettings):
    """Times are seconds, sizes bytes. A part of the orchestrator's settings."""

    content_s3_endpoint: str = Field(default="", description="https://… of the bucket; empty: Amazon")
    content_s3_region: str = Field(default="us-east-1", description="region of the bucket")
    content_s3_key_id: str = Field(default="", description="id of the access key")
    content_s3_secret: SecretStr = Field(default=SecretStr(""), description="its secret")
    content_store: str = Field(
        default="var/media", description="where customers' files are kept: a folder, or s3://bucket/prefix"
    )
    content_store_bytes: int = Field(
        default=20 * 1024 * MEGABYTE, ge=0, description="beyond it the oldest files go; 0: no limit"
    )
    media_keep_days: float = Field(default=365.0, ge=0, description="older files are removed; 0: never")
    media_wait_seconds: float = Field(
        default=6.0, ge=0, description="longest wait of a turn for its files and for what they say"
    )
    media_fetch_seconds: float = Field(default=60.0, gt=0, description="longest download of one file")
    media_max_bytes: int = Field(default=FILE_MAX_BYTES, gt=0, le=FILE_MAX_BYTES, description="largest file")
    media_types: str = Field(
        default="image/*,audio/*,video/*,application/pdf,application/zip,application/x-ole-storage,text/plain",
        description="types that are kept, comma separated, as their bytes tell them",
    )
    media_workers: int = Field(default=4, ge=1, le=32, description="downloads at once")
    media_attempts: int = Field(default=8, ge=1, description="about an hour; then the file is given up")
    media_allow_hosts: str = Field(
        default="", description="host:port of vendors that may have a private address, comma separated"
    )
    public_url: str = Field(
        default="", description="address under which agents reach the hub; empty: they get vendors' links"
    )
    transcribe_model: str = Field(default="", description="the model that hears; needed with TRANSCRIBE_URL")
    transcribe_url: str = Field(
        default="", description="https://… of an OpenAI-compatible service; empty: nobody hears voice notes"
    )
    transcribe_key: SecretStr = Field(default=SecretStr(""), description="its key, if it has one")
    transcribe_language: str = Field(default="", description="ISO 639-1, such as ru; empty: it finds out")
    transcribe_seconds: float = Field(default=60.0, gt=0, description="longest wait for one transcription")
    transcribe_max_bytes: int = Field(default=25 * MEGABYTE, gt=0, description="largest note sent there")

    @field_validator("content_store")
    @classmethod
    def _a_store(cls, value: str, seen: ValidationInfo) -> str:
        if not value.startswith(_S3):
            return value
        if not urlsplit(value).netloc:
            raise ValueError("must be s3://bucket or s3://bucket/prefix")
        if not seen.data.get("content_s3_key_id") or not seen.data["content_s3_secret"].get_secret_value():
            raise ValueError("a bucket needs CONTENT_S3_KEY_ID and CONTENT_S3_SECRET")
        if find_spec("obstore") is None:
            raise ValueError("a bucket needs obstore: install the extra s3")
        return value

    @field_validator("content_s3_endpoint", "transcribe_url", "public_url")
    @classmethod
    def _an_address(cls, value: str, seen: ValidationInfo) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc or parts.username):
            raise ValueError("must be http(s)://host")
        if value and seen.field_name == "transcribe_url" and not seen.data.get("transcribe_model"):
            raise ValueError("needs TRANSCRIBE_MODEL beside it")
        return value.rstrip("/")

    @field_validator("media_types")
    @classmethod
    def _types(cls, value: str) -> str:
        for one in listed(value):
            if not canonical(one.replace("/*", "/any")):
                raise ValueError(f"{one!r} is no type such as image/* or application/pdf")
        return value


def listed(text: str) -> frozenset[str]:
    """The entries of a comma-separated setting."""
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())
