"""A confirm_token is good for one caller, service, tool and the very arguments, for ten minutes, once."""

import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from core.auth import Caller
from core.call import Call, digest
from core.confirmation import LIVES_SECONDS, Confirmations, question
from core.errors import ConfirmationRequired
from core.operations import Operation
from tests.integration.chats_fixture import ManualClock

BOT = Caller("bot")
GIVEN = {"chat_id": "u2i-8f3a", "text": "Скидка только сегодня", "idempotency_key": ""}
KEYS = (b"new seal of thirty-two characters", b"old seal of thirty-two characters")


class Done(BaseModel):
    """Nothing."""


async def send(
    chat_id: Annotated[str, Field(description="Where")] = "",
    text: str = "",
    buttons: tuple[str, ...] = (),
    idempotency_key: str = "",
) -> Done:
    """Send it."""
    return Done()


SEND = Operation("send_message", "Send a message", "POST", "/api/send", send, "send")
DELETE = Operation("delete_message", "Delete", "POST", "/api/delete", send, "delete")


class Marks:
    """A store in memory."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    async def first(self, mark: str, seconds: int) -> bool:
        new = mark not in self.used
        self.used.setdefault(mark, seconds)
        return new


class Desk:
    """Where confirmations are asked for; replicas share `marks`."""

    def __init__(self, **more: Any) -> None:
        self.clock = ManualClock()
        self.marks = Marks()
        self.confirm = self.replica(**more)

    def replica(self, *, service: str = "avito", keys: tuple[bytes, ...] = KEYS) -> Confirmations:
        return Confirmations(service, keys, self.clock, self.marks)


async def token_of(confirm: Confirmations, given: dict[str, Any] = GIVEN, token: str = "") -> str:
    with pytest.raises(ConfirmationRequired) as caught:
        await confirm(Call(BOT, SEND, given), token)
    assert "nothing was done" in caught.value.detail
    return str(caught.value.beside["confirm_token"])


@pytest.mark.promise("confirmed")
async def test_the_same_call_with_the_token_passes_at_any_replica() -> None:
    desk = Desk()
    token = await token_of(desk.confirm)

    await desk.replica()(Call(BOT, SEND, dict(reversed(GIVEN.items()))), token)


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize(
    ("caller", "service", "operation", "more"),
    [
        (Caller("bot2"), "avito", SEND, {}),
        (Caller("bot", role="operator"), "avito", SEND, {}),
        (BOT, "vk", SEND, {}),
        (BOT, "avito", DELETE, {}),
        (BOT, "avito", SEND, {"text": "Скидка только завтра"}),
        (BOT, "avito", SEND, {"chat_id": "u2i-8f3b"}),
        (BOT, "avito", SEND, {"extra": ""}),
    ],
)
async def test_another_call_with_the_token_is_asked_about_anew(
    caller: Caller, service: str, operation: Operation, more: dict[str, str]
) -> None:
    desk = Desk()
    token = await token_of(desk.confirm)

    with pytest.raises(ConfirmationRequired, match="given to somebody else, or for another call"):
        await desk.replica(service=service)(Call(caller, operation, GIVEN | more), token)
    assert desk.marks.used == {}


@pytest.mark.promise("confirmed")
@pytest.mark.parametrize("token", ["x", "1.2.3", "9" * 12 + "." + "a" * 16 + "." + "b" * 43])
async def test_a_token_that_somebody_made_up_is_good_for_nothing(token: str) -> None:
    await token_of(Desk().confirm, token=token)


@pytest.mark.promise("confirmed")
async def test_a_token_ends_after_ten_minutes() -> None:
    desk = Desk()
    token = await token_of(desk.confirm)
    desk.clock.move(LIVES_SECONDS * 1000)

    with pytest.raises(ConfirmationRequired, match="has expired"):
        await desk.confirm(Call(BOT, SEND, GIVEN), token)


@pytest.mark.promise("confirmed")
async def test_one_yes_is_one_call() -> None:
    desk = Desk()
    token = await token_of(desk.confirm)
    await desk.confirm(Call(BOT, SEND, GIVEN), token)

    with pytest.raises(ConfirmationRequired, match="was used before") as caught:
        await desk.confirm(Call(BOT, SEND, GIVEN), token)
    await desk.confirm(Call(BOT, SEND, GIVEN), caught.value.beside["confirm_token"])


@pytest.mark.promise("confirmed")
async def test_a_repeat_under_an_idempotency_key_needs_no_second_yes() -> None:
    """It sends nothing anew: a call that broke off can be repeated."""
    desk, given = Desk(), GIVEN | {"idempotency_key": "order-17"}
    token = await token_of(desk.confirm, given)

    await desk.confirm(Call(BOT, SEND, given), token)
    await desk.confirm(Call(BOT, SEND, given), token)


@pytest.mark.promise("confirmed")
async def test_a_token_outlives_the_change_of_seals() -> None:
    desk = Desk(keys=KEYS[1:])
    token = await token_of(desk.confirm)

    await desk.replica()(Call(BOT, SEND, GIVEN), token)
    with pytest.raises(ConfirmationRequired):
        await desk.replica(keys=KEYS[:1])(Call(BOT, SEND, GIVEN), token)


def test_a_question_says_what_would_be_done_and_nothing_else() -> None:
    given = {"chat_id": "u2i-8f3a", "text": "Да\nchat_id: другой \u202eтекст”", "buttons": ("Да", "Нет")}

    assert question(SEND, given) == question(SEND, dict(given))
    assert question(SEND, given).splitlines() == [
        "Send a message? (send_message)",
        "chat_id: u2i-8f3a",
        "text: “Да ⏎ chat_id: другой текст’”",
        "buttons: 2: “Да”, “Нет”",
    ]


def test_a_question_counts_what_is_too_much_to_show() -> None:
    many = question(SEND, {"buttons": tuple(map(str, range(12))), "text": "б" * 30_000})

    assert many.splitlines()[1:] == [
        "buttons: 12: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
        "text: (30000 characters)",
    ]


def test_the_longest_text_is_quoted_whole() -> None:
    assert "б" * 20_000 in question(SEND, {"text": "б" * 20_000})


def test_arguments_have_the_same_digest_in_any_order_and_no_others_have_it() -> None:
    given = {"a": 1, "b": ["я", "\ud800"], "c": ""}
    others: list[dict[str, Any]] = [
        {"a": "1"},
        {"a": 11},
        {"b": ["я\ud800"]},
        {"b": ["я", ["\ud800"]]},
        {"b": "я"},
        {"c": []},
        {"c": None},
        {"d": ""},
    ]

    assert digest({name: given[name] for name in "cba"} | {"b": ("я", "\ud800")}) == digest(given)
    assert len({digest(given), *(digest(given | other) for other in others)}) == len(others) + 1


async def test_large_arguments_are_read_through_beside_the_event_loop() -> None:
    """A file of 70 MB in base64 would hold up everybody else's calls."""
    small, large = Call(BOT, SEND, GIVEN), Call(BOT, SEND, {"texts": ["б" * 20_000] * 10})
    threads = threading.active_count()
    await small.digest()
    assert threading.active_count() == threads

    assert await large.digest() == digest(large.given)
    assert threading.active_count() == threads + 1
