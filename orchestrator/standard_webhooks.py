"""Signing as Standard Webhooks 1.0 does (github.com/standard-webhooks/standard-webhooks, spec/).

HMAC-SHA256 over `{id}.{timestamp}.{body}`, base64, in a header that may carry several signatures.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def keys_of(secrets: str) -> list[bytes]:
    """The keys of `whsec_…,whsec_…`; ValueError says what is wrong and never shows a secret."""
    return [_key(one.strip()) for one in secrets.split(",") if one.strip()]


def signed(keys: Sequence[bytes], *, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt: its id, its Unix time, and a signature by each key."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError(f"must begin with {_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"is not base64 behind {_PREFIX}") from error
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"must hold {_SHORTEST} to {_LONGEST} bytes behind {_PREFIX}")
    return key
