"""Verifying a call by Standard Webhooks 1.0, with the standard library alone."""

import base64
import hmac
from collections.abc import Mapping

#: How far a call's time may be from ours: an older one is a repeat by somebody who listened.
TOLERANCE_SECONDS = 300


def verified(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Whether the hub made this call, of late. `body` is as it came, not parsed and written again."""
    number, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit() and abs(now - int(at)) <= TOLERANCE_SECONDS):
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = b"v1," + base64.b64encode(hmac.digest(key, f"{number}.{at}.".encode() + body, "sha256"))
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(expected, one) for one in given)
