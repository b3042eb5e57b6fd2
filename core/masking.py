"""Our own secrets inside other people's words: a vendor may write one into the body of a webhook."""

import json
from collections.abc import Iterable

MASK = "***"
#: Shorter ones would be found in ordinary words.
_SHORTEST = 8


class Masking:
    """Masks every known secret, as it is and as JSON writes it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, payload: bytes) -> bytes:
        """The payload without our secrets; all else stays as it is."""
        for form in self._forms:
            payload = payload.replace(form, MASK.encode())
        return payload


def _forms(secret: str) -> Iterable[bytes]:
    return (
        secret.encode("utf-8", "surrogatepass"),
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass"),
    )
