"""What a vendor's refusals mean, alike for all: waited out, renewed, told by name, never sent twice."""

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from core.channel import HasToken, Subscribes
from core.errors import (
    AuthFailed,
    ChannelError,
    OutcomeUnknown,
    PlanRequired,
    RateLimited,
    VendorDown,
)
from core.ids import ChatId
from tests.contract.vendor_side import SIDES, VendorSide, each, those_with, those_without

LOSSES = ["timeout", "reset", "502"]
TROUBLES = ["credentials", "door", "plan", "timeout", "reset", "429", "address", "chat"]


def _chat(vendor: VendorSide) -> ChatId:
    return ChatId(vendor.chats[0])


def _label(one: Any) -> str:
    return one if isinstance(one, str) else str(one[0])[:40]


@pytest.mark.parametrize(("name", "refusal"), each("refusals"), ids=_label)
@pytest.mark.promise("one-contract")
async def test_every_refusal_is_told_as_what_it_means(
    name: str, refusal: tuple[str, int, Any, type[ChannelError]]
) -> None:
    """What was certainly not done is tried again and then done once; the rest is told by its class."""
    vendor: VendorSide = SIDES[name]()
    _, status, body, kind = refusal
    vendor.answer_next(status, body)
    sending = vendor.channel.send_text(_chat(vendor), "Готово")

    if kind in (RateLimited, VendorDown):
        await sending
        assert (len(vendor.taken), len(vendor.slept) > 0) == (1, True)
        return
    with pytest.raises(ChannelError) as caught:
        await sending
    assert type(caught.value) is kind or issubclass(type(caught.value), kind)
    assert vendor.taken == []


@those_with("tells_wait")
async def test_a_429_waits_as_told(vendor: VendorSide) -> None:
    await vendor.channel.send_text(_chat(vendor), "before")
    before = len(vendor.slept)
    vendor.limit_rate(7)
    await vendor.channel.send_text(_chat(vendor), "after")

    assert 7.0 in vendor.slept[before:]
    assert [text for _, text in vendor.taken] == ["before", "after"]


@those_without("tells_wait")
async def test_a_429_without_a_time_waits_longer_each_time(vendor: VendorSide) -> None:
    vendor.limit_rate(0)
    await vendor.channel.send_text(_chat(vendor), "after")

    assert sum(vendor.slept) >= 1.0
    assert [text for _, text in vendor.taken] == ["after"]


@those_with("tells_wait")
async def test_a_429_longer_than_our_patience_is_told_at_once(vendor: VendorSide) -> None:
    await vendor.channel.send_text(_chat(vendor), "before")
    vendor.limit_rate(600)

    with pytest.raises(RateLimited) as caught:
        await vendor.channel.send_text(_chat(vendor), "after")
    assert caught.value.retry_after == 600.0
    assert [text for _, text in vendor.taken] == ["before"]


@pytest.mark.parametrize(("name", "how"), each("expiries"))
async def test_an_expired_token_is_refreshed_once(name: str, how: str) -> None:
    vendor: VendorSide = SIDES[name]()
    await vendor.channel.send_text(_chat(vendor), "before")
    issued = vendor.tokens_issued
    vendor.expire_token(how)

    await vendor.channel.send_text(_chat(vendor), "after")

    assert vendor.tokens_issued == issued + 1
    assert [text for _, text in vendor.taken] == ["before", "after"]


async def test_refused_credentials_are_told_by_name(vendor: VendorSide) -> None:
    vendor.refuse_credentials()

    with pytest.raises(AuthFailed):
        await vendor.channel.send_text(_chat(vendor), "x")
    assert not await vendor.channel.is_up()


@pytest.mark.parametrize("how", LOSSES)
async def test_a_send_without_an_answer_is_unknown_and_not_repeated(vendor: VendorSide, how: str) -> None:
    vendor.lose_answers(how)

    with pytest.raises(OutcomeUnknown):
        await vendor.channel.send_text(_chat(vendor), "once")
    assert vendor.taken == [(vendor.chats[0], "once")]


@those_with("has_plan")
async def test_a_missing_plan_is_told_by_name(vendor: VendorSide) -> None:
    vendor.end_plan()

    with pytest.raises(PlanRequired, match="plan lacks the Messenger API"):
        await vendor.channel.send_text(_chat(vendor), "x")
    assert vendor.taken == []


async def test_a_closed_door_means_that_nothing_was_done(vendor: VendorSide) -> None:
    vendor.close_door()

    with pytest.raises(VendorDown):
        await vendor.channel.send_text(_chat(vendor), "x")


async def test_is_up_tells_and_never_raises(vendor: VendorSide) -> None:
    assert await vendor.channel.is_up()
    vendor.close_door()
    assert not await vendor.channel.is_up()


@those_with(HasToken)
async def test_a_token_is_described_but_never_shown(vendor: VendorSide) -> None:
    assert isinstance(vendor.channel, HasToken)
    shown = await vendor.channel.token_status()

    assert not [secret for secret in vendor.secrets if secret in shown.model_dump_json()]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_no_secret_is_in_an_error_or_a_log_line(
    vendor: VendorSide, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    troubles: dict[str, Callable[[], None]] = {
        "credentials": vendor.refuse_credentials,
        "door": vendor.close_door,
        "plan": vendor.end_plan if vendor.has_plan else vendor.refuse_credentials,
        "timeout": lambda: vendor.lose_answers("timeout"),
        "reset": lambda: vendor.lose_answers("reset"),
        "429": lambda: vendor.limit_rate(600),
        "address": lambda: None,
        "chat": lambda: None,
    }
    troubles[trouble]()

    with pytest.raises(ChannelError) as caught:
        await _anything_that_fails(vendor, trouble)

    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    assert not [secret for secret in vendor.secrets if secret in told]


async def _anything_that_fails(vendor: VendorSide, trouble: str) -> None:
    channel = vendor.channel
    if trouble == "address" and isinstance(channel, Subscribes):
        await channel.subscribe_webhook(f"gopher://{vendor.secrets[0]}")
    odd = trouble in ("address", "chat")
    await channel.send_text(ChatId("" if odd else vendor.chats[0]), "x")
