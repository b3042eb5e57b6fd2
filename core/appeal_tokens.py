"""Short-lived bearer tokens for one appeal: whoever has one sees and touches that conversation alone.

A token carries what it is for, sealed with keys that every replica and every channel has; nothing is stored.
What ends before its time is marked in Redis (core/ended_tokens.py).
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from core.auth import Bounds, Caller, Mode, Scope
from core.clock import Clock, SystemClock
from core.jsontext import UnreadableJSON, read_json, write_json

LONGEST_SECONDS = 3600
#: Tells a token from a key and from a JWT before anything is computed.
PREFIX = "eat1."
#: What a token may give at most; the rest is for holders of keys.
GIVEN: frozenset[Scope] = frozenset({"read", "answer", "send"})
_PURPOSE = b"appeal-tokens"
_LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and what it is for."""

    text: str
    bounds: Bounds


class AppealTokens:
    """Makes and reads tokens. The first of the `keys` seals, every one opens; without any there are none."""

    def __init__(self, keys: Sequence[bytes], clock: Clock | None = None) -> None:
        self._keys = [hmac.digest(key, _PURPOSE, "sha256") for key in keys]
        self._clock = clock or SystemClock()

    def make(self, caller: Caller, bounds: Bounds) -> str:
        """The token by which somebody may do, within the bounds, what this caller may."""
        facts = {
            "id": bounds.token_id,
            "by": caller.name,
            "mode": caller.mode,
            "scopes": sorted(caller.scopes & GIVEN),
            "appeal": bounds.appeal_id,
            "client": bounds.client_id,
            "chats": sorted(bounds.chats),
            "made": bounds.made_ms,
            "ends": bounds.ends_ms,
        }
        sealed = _written(write_json(facts).encode())
        return f"{PREFIX}{sealed}.{_written(self._seal(self._keys[0], sealed))}"

    def read(self, text: str) -> Caller | None:
        """Who calls with it; None when it is none of ours, or its time is over."""
        sealed, _, seal = text.removeprefix(PREFIX).partition(".")
        if not text.startswith(PREFIX) or len(text) > _LONGEST:
            return None
        given = _read(seal)
        if not any(hmac.compare_digest(self._seal(key, sealed), given) for key in self._keys):
            return None
        try:
            caller = _caller(read_json(_read(sealed)))
        except (UnreadableJSON, KeyError, TypeError, ValueError):  # sealed by another version of ours
            return None
        ends = caller.bounds.ends_ms if caller.bounds else 0
        return caller if ends > self._clock.now_ms() else None

    def bounds(
        self,
        appeal: str,
        client: str,
        chats: Sequence[tuple[str, str, str]],
        seconds: int,
        *,
        latest_ms: int | None = None,
    ) -> Bounds:
        """Of a token that is made now, and ends at `latest_ms` (Unix ms) at the latest."""
        now = self._clock.now_ms()
        ends = now + seconds * 1000
        ends = ends if latest_ms is None else min(ends, latest_ms)
        return Bounds(secrets.token_hex(8), appeal, client, frozenset(chats), now, ends)

    @property
    def can_make(self) -> bool:
        """Whether there is a key to seal with."""
        return bool(self._keys)

    @staticmethod
    def _seal(key: bytes, sealed: str) -> bytes:
        return hmac.digest(key, sealed.encode("ascii", "replace"), "sha256")


def _caller(facts: Any) -> Caller:
    bounds = Bounds(
        token_id=str(facts["id"]),
        appeal_id=str(facts["appeal"]),
        client_id=str(facts["client"]),
        chats=frozenset((str(one), str(account), str(chat)) for one, account, chat in facts["chats"]),
        made_ms=int(facts["made"]),
        ends_ms=int(facts["ends"]),
    )
    scopes = cast(frozenset[Scope], frozenset(facts["scopes"])) & GIVEN
    mode = cast(Mode, facts["mode"])
    return Caller(str(facts["by"]), "agent", mode, scopes, bounds=bounds, ends_ms=bounds.ends_ms)


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _read(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode("ascii", "replace") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
