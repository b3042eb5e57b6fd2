"""The questions that every channel answers alike (core/channel.py)."""

import json
import logging
import traceback
from collections.abc import Callable

import pytest

from core.channel import HasToken, KeepsHistory, Subscribes
from core.errors import AuthFailed, ChannelError, OutcomeUnknown, PlanRequired, RateLimited, VendorDown
from core.ids import ChatId
from tests.contract.vendor_side import EXPIRIES, SIDES, VendorSide

CHAT = ChatId("u2i-AbC~1")
LOSSES = ["timeout", "reset", "502"]


@pytest.mark.parametrize("chat_id", ["u2i-AbC~1", "a b/c{d}", "%2F..%00?x=1#y", "чат", "{}", "-"])
async def test_ids_survive_the_round_trip(vendor: VendorSide, chat_id: str) -> None:
    channel = vendor.channel
    asked = channel.normalize(vendor.push("Здравствуйте", chat_id=chat_id)).arrivals[0].message
    message_id = await channel.send_text(asked.external_chat_id, "Здравствуйте!")
    echo = channel.normalize(vendor.push_of(message_id)).arrivals[0].message

    assert vendor.taken == [(chat_id, "Здравствуйте!")]
    assert (echo.external_chat_id, echo.external_message_id) == (chat_id, message_id)


async def test_the_history_names_messages_as_send_did(vendor: VendorSide) -> None:
    if not isinstance(vendor.channel, KeepsHistory):
        pytest.skip("keeps no history")
    message_id = await vendor.channel.send_text(CHAT, "Готово")

    page = await vendor.channel.list_messages(CHAT, 10, "")

    assert [(m.message_id, m.direction, m.text_untrusted) for m in page.messages] == [
        (message_id, "out", "Готово")
    ]


@pytest.mark.parametrize("chat_id", ["", ".", ".."])
async def test_an_id_that_would_change_the_address_reaches_nobody(vendor: VendorSide, chat_id: str) -> None:
    with pytest.raises(ChannelError):
        await vendor.channel.send_text(ChatId(chat_id), "x")

    assert vendor.taken == []


def test_our_own_messages_are_marked(vendor: VendorSide) -> None:
    theirs = vendor.channel.normalize(vendor.push("Привет", chat_id=CHAT)).arrivals[0]
    ours = vendor.channel.normalize(vendor.push("Привет", chat_id=CHAT, own=True)).arrivals[0]

    assert (theirs.own, theirs.message.event, theirs.fingerprint) == (False, "message", "")
    assert (ours.own, ours.message.event) == (True, "operator_message")
    assert ours.fingerprint


def test_a_message_names_its_channel_and_account(vendor: VendorSide) -> None:
    message = vendor.channel.normalize(vendor.push("Привет", chat_id=CHAT)).arrivals[0].message

    assert (message.channel, message.account) == (vendor.channel.name, vendor.channel.account)


def test_a_repeated_push_has_the_same_key(vendor: VendorSide) -> None:
    first, second = (vendor.channel.normalize(vendor.push("Привет", chat_id=CHAT)) for _ in range(2))

    assert first.arrivals[0].event_key == second.arrivals[0].event_key


def test_a_wrong_secret_is_refused(vendor: VendorSide) -> None:
    body = json.dumps(vendor.push("Привет", chat_id=CHAT)).encode()

    assert vendor.channel.verify(vendor.webhook(body, authentic=True))
    assert not vendor.channel.verify(vendor.webhook(body, authentic=False))


def test_what_nobody_knows_is_kept_with_a_reason(vendor: VendorSide) -> None:
    result = vendor.channel.normalize(vendor.push_of_unknown_kind())

    assert result.arrivals == ()
    assert result.unknown


@pytest.mark.parametrize("body", [None, 0, "text", [], [{}], {"payload": None}, {"payload": {"value": [1]}}])
def test_a_body_that_is_no_push_is_kept_with_a_reason(vendor: VendorSide, body: object) -> None:
    assert vendor.channel.normalize(body).unknown


async def test_a_429_waits_as_told(vendor: VendorSide) -> None:
    await vendor.channel.send_text(CHAT, "before")
    vendor.limit_rate(7)
    await vendor.channel.send_text(CHAT, "after")

    assert vendor.slept == [7.0]
    assert [text for _, text in vendor.taken] == ["before", "after"]


async def test_a_429_longer_than_our_patience_is_told_at_once(vendor: VendorSide) -> None:
    await vendor.channel.send_text(CHAT, "before")
    vendor.limit_rate(600)

    with pytest.raises(RateLimited) as caught:
        await vendor.channel.send_text(CHAT, "after")
    assert (caught.value.retry_after, vendor.slept) == (600.0, [])


@pytest.mark.parametrize(("name", "how"), EXPIRIES)
async def test_an_expired_token_is_refreshed_once(name: str, how: str) -> None:
    vendor: VendorSide = SIDES[name]()
    await vendor.channel.send_text(CHAT, "before")
    vendor.expire_token(how)

    await vendor.channel.send_text(CHAT, "after")

    assert vendor.tokens_issued == 2
    assert [text for _, text in vendor.taken] == ["before", "after"]


async def test_refused_credentials_are_told_by_name(vendor: VendorSide) -> None:
    vendor.refuse_credentials()

    with pytest.raises(AuthFailed):
        await vendor.channel.send_text(CHAT, "x")
    assert not await vendor.channel.is_up()


@pytest.mark.parametrize("how", LOSSES)
async def test_a_send_without_an_answer_is_unknown_and_not_repeated(vendor: VendorSide, how: str) -> None:
    vendor.lose_answers(how)

    with pytest.raises(OutcomeUnknown):
        await vendor.channel.send_text(CHAT, "once")
    assert vendor.taken == [(CHAT, "once")]


async def test_a_missing_plan_is_told_by_name(vendor: VendorSide) -> None:
    vendor.end_plan()

    with pytest.raises(PlanRequired, match="plan lacks the Messenger API"):
        await vendor.channel.send_text(CHAT, "x")
    assert vendor.taken == []


async def test_a_closed_door_means_that_nothing_was_done(vendor: VendorSide) -> None:
    vendor.close_door()

    with pytest.raises(VendorDown):
        await vendor.channel.send_text(CHAT, "x")


async def test_is_up_tells_and_never_raises(vendor: VendorSide) -> None:
    assert await vendor.channel.is_up()
    vendor.close_door()
    assert not await vendor.channel.is_up()


async def test_a_token_is_described_but_never_shown(vendor: VendorSide) -> None:
    if not isinstance(vendor.channel, HasToken):
        pytest.skip("has no tokens")
    before, after = await vendor.channel.token_status(), await vendor.channel.refresh_token()

    assert (before.valid, after.valid) == (False, True)
    assert not [secret for secret in vendor.secrets if secret in after.model_dump_json()]


@pytest.mark.parametrize("trouble", ["credentials", "door", "plan", "timeout", "429", "address"])
async def test_no_secret_is_in_an_error_or_a_log_line(
    vendor: VendorSide, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    troubles: dict[str, Callable[[], None]] = {
        "credentials": vendor.refuse_credentials,
        "door": vendor.close_door,
        "plan": vendor.end_plan,
        "timeout": lambda: vendor.lose_answers("timeout"),
        "429": lambda: vendor.limit_rate(600),
        "address": lambda: None,
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
    await channel.send_text(ChatId("" if trouble == "address" else CHAT), "x")
