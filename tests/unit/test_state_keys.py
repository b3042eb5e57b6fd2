"""Every replica opens what another one has sealed: by given keys, or by one that all of them make."""

import pytest
from mcp.server.mcpserver import RequestStateSecurity
from pydantic import SecretStr

from core.state_keys import check_state_keys, state_keys

NONE, RING = SecretStr(""), SecretStr("operator=0123456789abcdef0123")
OLD, NEW = "o" * 32, "n" * 32


def sealing(given: str, ring: SecretStr = RING) -> RequestStateSecurity:
    """One replica's."""
    return RequestStateSecurity(keys=state_keys(SecretStr(given), ring))


@pytest.mark.promise("replicas")
@pytest.mark.parametrize(
    ("one", "other"), [("", ""), (OLD, OLD), (OLD, f"{NEW}, {OLD}"), (f"{OLD},{NEW}", NEW + "," + OLD)]
)
def test_a_replica_opens_what_another_one_sealed(one: str, other: str) -> None:
    token = sealing(one).codec.seal(b"round one")

    assert sealing(other).codec.unseal(token) == b"round one"


def test_the_key_of_other_callers_is_another_one() -> None:
    assert state_keys(NONE, RING) != state_keys(NONE, SecretStr("operator=another-0123456789abcdef"))


def test_a_short_key_is_refused_by_its_place() -> None:
    with pytest.raises(ValueError, match="key 2 is shorter than 32"):
        check_state_keys(SecretStr(f"{OLD},short"))
