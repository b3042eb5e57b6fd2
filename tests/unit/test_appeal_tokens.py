"""A token says what it is for; nobody without our keys can make, widen or prolong one."""

import base64
import json
from dataclasses import replace

import pytest

from core.appeal_tokens import PREFIX, AppealTokens
from core.auth import Bounds, Caller, KeyRing
from core.errors import NotPermitted
from core.fence import NAMING, NO_FENCE, Fence, completed, owned
from tests.integration.chats_fixture import SECOND, ManualClock

pytestmark = pytest.mark.promise("one-conversation")

KEY, OTHER = b"k" * 32, b"o" * 32
CHATS = [("telegram", "default", "7"), ("avito", "shop", "u2i-1")]
MAKER = Caller("dispatcher", "operator", "full")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tokens(clock: ManualClock) -> AppealTokens:
    return AppealTokens([KEY], clock)


def made(tokens: AppealTokens, caller: Caller = MAKER) -> tuple[str, Bounds]:
    bounds = tokens.bounds("12", "5", CHATS, 60)
    return tokens.make(caller, bounds), bounds


def test_a_token_carries_what_it_is_for(tokens: AppealTokens) -> None:
    """In the name of whoever made it, as an agent, without what only keys open."""
    text, bounds = made(tokens)

    caller = tokens.read(text)

    assert caller == Caller(
        "dispatcher",
        "agent",
        "full",
        frozenset({"read", "answer", "send"}),
        bounds=bounds,
        ends_ms=bounds.ends_ms,
    )
    assert bounds.chats == frozenset(CHATS)


def test_it_has_no_more_scopes_than_its_maker(tokens: AppealTokens) -> None:
    weak = Caller("looker", "agent", "read_only", frozenset({"read"}))

    caller = tokens.read(made(tokens, weak)[0])

    assert caller is not None
    assert (caller.mode, caller.scopes) == ("read_only", frozenset({"read"}))


def test_its_time_ends(tokens: AppealTokens, clock: ManualClock) -> None:
    text, _ = made(tokens)

    clock.move(60 * SECOND - 1)
    assert tokens.read(text) is not None
    clock.move(1)
    assert tokens.read(text) is None


def test_what_is_changed_in_it_makes_it_none(tokens: AppealTokens) -> None:
    """Any letter, the whole of what it says, or its seal."""
    text, _ = made(tokens)
    sealed, seal = text.removeprefix(PREFIX).split(".")
    facts = json.loads(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(facts | {"appeal": "13"}).encode()).decode().rstrip("=")

    for wrong in (
        f"{PREFIX}{forged}.{seal}",
        f"{PREFIX}{sealed}.",
        f"{PREFIX}{sealed}",
        text + "A",
        text[1:],
        "",
        PREFIX,
    ):
        assert tokens.read(wrong) is None, wrong
    for place in range(len(PREFIX), len(text) - 1, 7):
        other = "A" if text[place] != "A" else "B"
        assert tokens.read(text[:place] + other + text[place + 1 :]) is None, place


def test_only_our_keys_open_it_and_an_old_one_does_for_a_while(clock: ManualClock) -> None:
    """Replicas and channels have the same; keys are changed one after the other."""
    text, _ = made(AppealTokens([KEY], clock))

    assert AppealTokens([OTHER], clock).read(text) is None
    assert AppealTokens([], clock).read(text) is None
    assert AppealTokens([OTHER, KEY], clock).read(text) is not None


def test_the_ring_knows_who_calls_with_a_token(tokens: AppealTokens) -> None:
    ring = KeyRing({}).reading(tokens.read)
    text, bounds = made(tokens)

    caller = ring.caller(text)

    assert caller is not None
    assert caller.bounds == bounds
    assert ring.caller(text[:-2]) is None
    assert KeyRing({}).caller(text) is None, "without keys to open it"


async def test_a_fence_that_knows_nothing_opens_nothing(tokens: AppealTokens) -> None:
    """A service without appeals, an operation that nobody decided of, a name that nobody can judge."""

    async def alive(_: Bounds) -> bool:
        return True

    _, bounds = made(tokens)
    fence = Fence({"look"}, {"appeal_id": owned(lambda one: (one.appeal_id,), "appeal_id")}, alive)

    await fence.check(bounds, "look", {"appeal_id": "12", "text": "x", "chat_id": ""})
    for closed, operation, given in (
        (NO_FENCE, "look", {}),
        (fence, "other", {"appeal_id": "12"}),
        (fence, "look", {"appeal_id": "13"}),
        *((fence, "look", {"appeal_id": "12", name: "12"}) for name in NAMING - {"appeal_id"}),
    ):
        with pytest.raises(NotPermitted, match="for the appeal 12 alone"):
            await closed.check(bounds, operation, given)


def test_completion_knows_the_tokens_own_names_alone(tokens: AppealTokens) -> None:
    _, bounds = made(tokens)

    assert completed(bounds, "appeal://{id}", "id", "") == ["12"]
    assert completed(bounds, "client://{id}", "id", "") == ["5"]
    assert completed(bounds, "client://{id}", "id", "1") == []
    assert completed(bounds, "chat://{channel}/{chat_id}", "chat_id", "u") == ["u2i-1"]
    assert completed(bounds, "", "turn_id", "") == []


def test_bounds_of_two_tokens_differ(tokens: AppealTokens) -> None:
    """So that one of them can be ended."""
    _, one = made(tokens)
    _, other = made(tokens)

    assert one != other
    assert replace(one, token_id="") == replace(other, token_id="")
