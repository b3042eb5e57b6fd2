"""The keys that seal what a client carries between the rounds of one call, such as a question and its answer.

Any replica may get the next round: all of them need the same keys.
"""

import hmac

from pydantic import SecretStr

SHORTEST_STATE_KEY = 32
_PURPOSE = b"eldoleado: state of a call"


def state_keys(given: SecretStr, api_keys: SecretStr) -> tuple[bytes, ...]:
    """The first seals, every one opens. Without any, one is made of API_KEYS, which all replicas have."""
    keys = tuple(part.strip().encode() for part in given.get_secret_value().split(",") if part.strip())
    return keys or (hmac.digest(api_keys.get_secret_value().encode(), _PURPOSE, "sha256"),)


def check_state_keys(given: SecretStr) -> None:
    """ValueError when a key is too short to be one."""
    for number, part in enumerate(filter(None, map(str.strip, given.get_secret_value().split(","))), 1):
        if len(part.encode()) < SHORTEST_STATE_KEY:
            raise ValueError(f"key {number} is shorter than {SHORTEST_STATE_KEY} characters")
