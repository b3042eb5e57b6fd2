"""What moves a chat's deadline beside its messages: typing puts it off, buttons and commands end it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from core.chats import Chats, Window, Windows
from core.closing import Closing
from core.keys import Keys
from core.messages import IncomingMessage
from orchestrator.timing import closing_of
from tests.integration.chats_fixture import (
    LEASE_MS,
    SECOND,
    T0,
    Line,
    as_text,
    canonical,
    incoming,
    incoming_line,
    texts,
)

CHAT = "avito:u2i-1"


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[Line]:
    async with incoming_line(redis_url) as opened:
        yield opened


def typing(chat: Any = "u2i-1", **more: Any) -> dict[str, Any]:
    """The customer is seen typing."""
    return incoming("", chat, event="typing", **more)


def pressed(text: str = "Да", **more: Any) -> dict[str, Any]:
    """The customer pressed a button."""
    return incoming(text, event="postback", **more)


# --- typing -----------------------------------------------------------------------------------------------


@pytest.mark.promise("typing")
@pytest.mark.parametrize("ours", [True, False])
async def test_who_types_is_waited_for(line: Line, ours: bool) -> None:
    """The silence begins anew, whoever wrote the event and in whatever JSON."""
    await line.arrive(incoming("Здравствуйте"))
    await line.pass_time(15 * SECOND)
    assert await line.arrive(canonical(typing()) if ours else typing()) == 0

    await line.pass_time(19 * SECOND)
    assert await line.take() == []
    await line.pass_time(1 * SECOND)
    lease = await line.take_one()

    assert texts(lease) == ["Здравствуйте"]
    assert (lease.opened, lease.last, lease.due_at) == (T0, T0 + 15 * SECOND, T0 + 35 * SECOND)


@pytest.mark.promise("typing")
async def test_typing_for_ever_ends_with_the_longest_wait(line: Line) -> None:
    await line.arrive(incoming("Здравствуйте"))
    for _ in range(60):
        await line.arrive(typing())
        assert await line.take() == []
        await line.pass_time(5 * SECOND)

    assert texts(await line.take_one()) == ["Здравствуйте"]


@pytest.mark.promise("typing")
async def test_typing_opens_no_chat_and_is_kept_nowhere(line: Line) -> None:
    """Also twice, and beside messages of others."""
    await line.arrive(typing(), typing(), incoming("x", chat="other"), typing("third", account="acc2"))

    left = {as_text(key) for key in await line.redis.keys("*")}
    assert left == {
        "queue:batch:avito:other",
        "last_seen:avito:other",
        "queue:debounce:opened",
        "queue:debounce:deadlines",
    }


@pytest.mark.promise("typing")
async def test_typing_is_no_sign_in_another_account_s_chat(line: Line) -> None:
    await line.arrive(incoming("mine"), incoming("yours", account="acc2"))
    await line.pass_time(10 * SECOND)
    await line.arrive(typing(account="acc2"))
    await line.pass_time(10 * SECOND)
    assert texts(await line.take_one()) == ["mine"]


async def test_typing_leaves_the_time_of_the_last_message_alone(line: Line) -> None:
    """`last_seen` is what its name says; after the lease nothing of the typing is left."""
    await line.arrive(incoming("x"))
    await line.pass_time(5 * SECOND)
    await line.arrive(typing())
    assert await line.redis.get("last_seen:avito:u2i-1") == str(T0).encode()
    await line.pass_time(20 * SECOND)
    await line.ack_all(await line.take_one())
    assert await line.redis.exists(line.keys.typed, line.keys.closing, line.keys.opened) == 0


async def test_typing_while_a_worker_has_the_chat_counts_for_what_came_since(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.arrive(typing())
    assert await line.redis.exists(line.keys.typed) == 0
    await line.arrive(incoming("second"))
    await line.pass_time(10 * SECOND)
    await line.arrive(typing())
    assert await line.ack_all(lease)

    assert await line.chats.next_due() == line.now + 20 * SECOND


async def test_typing_does_not_wake_a_chat_that_a_retry_holds(line: Line) -> None:
    await line.arrive(incoming("x"))
    await line.pass_time(20 * SECOND)
    await line.chats.retry(await line.take_one(), line.now, due_at=line.now + 60 * SECOND)
    await line.arrive(typing())
    await line.pass_time(30 * SECOND)
    assert await line.take() == []
    await line.pass_time(30 * SECOND)
    assert texts(await line.take_one()) == ["x"]


async def test_typing_puts_a_chat_off_that_waits_for_a_worker(line: Line) -> None:
    """It was due and nobody was free: its silence begins anew, as with a message."""
    await line.arrive(incoming("x"))
    await line.arrive(incoming("y", chat="z"))
    await line.pass_time(20 * SECOND)
    [first] = await line.take(1)
    assert first.member == CHAT
    await line.arrive(typing("z"))
    assert await line.take() == []
    await line.pass_time(20 * SECOND)
    assert texts(await line.take_one()) == ["y"]


async def test_typing_from_a_chat_that_is_no_list_hurts_nobody(line: Line) -> None:
    await line.arrive(incoming("x"))
    await line.redis.set(f"{line.keys.items}{CHAT}", "?")
    assert await line.arrive(typing(), incoming("y", chat="other")) == 1


# --- at once ----------------------------------------------------------------------------------------------


@pytest.mark.promise("closed_by")
@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(
    ("closes", "why"),
    [
        (pressed(), "button"),
        (incoming("Сейчас отвечу", event="operator_message"), "takeover"),
        (incoming("/start"), "command"),
        (incoming("/start ref_17"), "command"),
        (incoming("/START@shop_bot"), "command"),
        (incoming("/старт", event=""), "command"),
    ],
)
async def test_buttons_commands_and_operators_close_a_chat_at_once(
    line: Line, closes: dict[str, Any], why: str, ours: bool
) -> None:
    await line.arrive(incoming("Здравствуйте"))
    await line.pass_time(SECOND)
    await line.arrive(canonical(closes) if ours else closes)

    lease = await line.take_one()

    assert texts(lease) == ["Здравствуйте", closes["text"]]
    assert (lease.closing, lease.due_at) == (why, line.now)


@pytest.mark.parametrize("text", ["/", "//", "/ start", "/1", "/_", " /start", "1/start", "см. /start", "/…"])
async def test_other_texts_with_a_slash_wait_like_all(line: Line, text: str) -> None:
    await line.arrive(incoming(text), canonical(incoming(text)))
    assert await line.take() == []


@pytest.mark.parametrize("event", ["edit", "delete", "reaction", "notice", "read"])
async def test_an_event_about_a_command_is_none(line: Line, event: str) -> None:
    await line.arrive(incoming("/start", event=event))
    assert await line.take() == []


async def test_only_the_commands_of_the_settings_close_a_chat(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        keys, windows = Keys().incoming, Windows(closing=closing_of(("help",)))
        chats = Chats(redis, keys, windows=windows, lease_ms=LEASE_MS, model=IncomingMessage)
        line = Line(redis, keys, chats)
        await line.arrive(incoming("/start"), incoming("/helping"))
        assert await line.take() == []
        await line.arrive(incoming("/Help me"))
        assert (await line.take_one()).closing == "command"


@pytest.mark.promise("closed_by")
async def test_what_comes_after_a_button_does_not_put_it_off(line: Line) -> None:
    """Nor does typing: the chat stays due until a worker has it, and later ones wait their own silence."""
    await line.arrive(pressed(), pressed(chat="z"))
    await line.arrive(incoming("ещё"), typing("z"))
    assert [texts(lease) for lease in await line.take()] == [["Да", "ещё"], ["Да"]]
    await line.arrive(incoming("и ещё"))
    assert await line.take() == []


@pytest.mark.promise("closed_by")
async def test_a_button_pressed_while_a_worker_has_the_chat_is_due_with_the_ack(line: Line) -> None:
    await line.arrive(incoming("first"))
    await line.pass_time(20 * SECOND)
    lease = await line.take_one()
    await line.arrive(pressed(), incoming("after"))
    assert await line.ack_all(lease)
    next_one = await line.take_one()
    assert (texts(next_one), next_one.closing) == (["Да", "after"], "button")


async def test_a_button_is_not_forgotten_by_a_retry(line: Line) -> None:
    await line.arrive(pressed())
    await line.chats.retry(await line.take_one(), line.now, due_at=line.now + SECOND)
    await line.arrive(incoming("ещё"))
    assert await line.take() == []
    await line.pass_time(SECOND)
    lease = await line.take_one()
    assert (texts(lease), lease.closing) == (["Да", "ещё"], "button")


SLASHES = st.text(st.sampled_from('/aZ_9ёЯ\u0400\u047f\u0480é… \\"@😀\n')).map(lambda text: "/" + text)
EVENTS = st.sampled_from(["message", "postback", "operator_message", "edit", "notice"])
RULES = st.sampled_from([Closing(), closing_of(("*",)), closing_of(("az", "яё")), closing_of(())])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=SLASHES | st.text(max_size=5), event=EVENTS, rule=RULES, shape=st.integers(0, 2))
def test_redis_agrees_with_the_pure_rule_about_what_closes_a_chat(
    redis_url: str, text: str, event: str, rule: Closing, shape: int
) -> None:
    """Whether our own producers wrote it, Python's JSON or PHP's, which escapes a slash."""
    message = incoming(text, event=event, external_message_id="m1")
    plain = json.dumps(message).encode()
    raw = [canonical(message), plain, plain.replace(b"/", b"\\/")][shape]
    assert asyncio.run(_closing(redis_url, rule, raw)) == rule.why(event, text.replace("\x00", ""))


async def _closing(url: str, rule: Closing, raw: bytes) -> str:
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
        keys, windows = Keys().incoming, Windows(Window(), closing=rule)
        line = Line(redis, keys, Chats(redis, keys, windows=windows, lease_ms=1, model=IncomingMessage))
        await line.arrive(raw)
        return as_text(await redis.hget(keys.closing, CHAT) or b"")
