"""Dead letters at the hub: looked at by everybody, mended by operators, sent on their way once."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from core.auth import Caller
from core.errors import Forbidden, NotFound, Rejected
from core.messages import OutgoingMessage
from orchestrator.store import outbound
from orchestrator.store.outbound import Failure
from tests.integration.chats_fixture import SECOND, as_bytes, incoming
from tests.integration.letters_fixture import KEYS, Office
from tests.integration.letters_fixture import office as opened

BROKEN = as_bytes(incoming("Цена?") | {"timestamp": "yesterday"})
MENDED = json.dumps(incoming("Цена?"), ensure_ascii=False)


@pytest.fixture
async def office(redis_url: str, database_url: str) -> AsyncIterator[Office]:
    async with opened(redis_url, database_url) as made:
        yield made


def outgoing(text: str = "Готово", **more: Any) -> OutgoingMessage:
    given = {"id": uuid4(), "channel": "avito", "external_chat_id": "c1", "text": text, **more}
    return OutgoingMessage.model_validate(given)


async def bury(office: Office, message: OutgoingMessage, *, reason: str = "rejected", state: str = "") -> str:
    """A message that was tried and given up, and its letter."""
    payload = message.model_dump_json().encode()
    if state:
        pool, now = office.here.pool, office.here.now
        await outbound.insert_outbound(pool, message, origin="list", now=now)
        await outbound.begin_sending(pool, message.id, now=now)
        mark: Any = {"failed": outbound.mark_failed, "unknown": outbound.mark_unknown}.get(state)
        if mark:
            await mark(pool, message.id, Failure(reason, "said", final=True), now=now)
        else:
            await outbound.mark_sent(pool, message.id, ["v-1"], now=now)
    return await office.dead.bury("outgoing", reason, "said", payload)


async def state_of(office: Office, message: OutgoingMessage) -> tuple[str, int]:
    delivery = await outbound.get_delivery(office.here.pool, message.id)
    assert delivery is not None
    return delivery.state, delivery.attempts


# --- kept -------------------------------------------------------------------------------------------------


@pytest.mark.promise("letters-whole")
@pytest.mark.parametrize("payload", [BROKEN, b"\xff\xfe\x00", b"{" + b" " * 3_000_000])
async def test_a_payload_is_kept_whole_until_it_is_purged(office: Office, payload: bytes) -> None:
    """openclaw#109911: a dead letter is listed, and the message in it is gone. Here an edit keeps what came
    first, a replay keeps both, and only a purge drops them."""
    letter_id = await office.dead.bury("incoming", "unreadable", "why", payload)
    await office.change("edit", letter_id, payload=MENDED)
    await office.change("replay", letter_id)

    found = await office.dead.find(letter_id)
    assert found is not None
    assert (found.letter.raw_original, found.letter.raw) == (payload, MENDED.encode())
    shown = await office.ask("get_dead_letter", letter_id=letter_id)
    assert (shown["edited_by"], shown["replayed_by"]) == ("anna", "anna")
    assert shown["payload_untrusted"] == MENDED

    assert (await office.change("purge", letter_id, confirm=True))["purged"] == 1
    with pytest.raises(NotFound):
        await office.ask("get_dead_letter", letter_id=letter_id)


async def test_a_second_edit_keeps_what_came_first(office: Office) -> None:
    letter_id = await office.dead.bury("incoming", "unreadable", "why", BROKEN)
    for text in ("Раз", "Два"):
        await office.change("edit", letter_id, payload=json.dumps(incoming(text)))

    shown = await office.ask("dead_letters", letter_id=letter_id)
    assert "Два" in json.loads(shown["payload_untrusted"])["text"]
    assert shown["original_untrusted"] == BROKEN.decode()


async def test_an_edit_that_helps_nothing_is_refused_with_what_is_wrong(office: Office) -> None:
    """And without the customer's words."""
    letter_id = await office.dead.bury("incoming", "unreadable", "why", BROKEN)
    with pytest.raises(Rejected, match="timestamp") as refused:
        await office.change("edit", letter_id, payload=BROKEN.decode())
    assert "yesterday" not in str(refused.value)
    with pytest.raises(Rejected, match="cannot be read"):
        await office.change("edit", letter_id, payload="{")


async def test_nothing_is_purged_unless_it_is_confirmed(office: Office) -> None:
    old = await office.dead.bury("incoming", "unreadable", "", b"{")
    office.clock.move(7200 * SECOND)
    young = await office.dead.bury("incoming", "unreadable", "", b"{")
    elsewhere = await office.dead.bury("outgoing", "rejected", "", b"{")

    assert (await office.change("purge", older_than_hours=1))["would_purge"] == 1
    assert await office.found() == [elsewhere, young, old] or set(await office.found()) == {
        old,
        young,
        elsewhere,
    }
    assert (await office.change("purge", older_than_hours=1, confirm=True))["purged"] == 1
    assert (await office.change("purge", door="incoming", confirm=True))["purged"] == 1
    assert await office.found() == [elsewhere]
    with pytest.raises(Rejected, match="Name a letter_id"):
        await office.change("purge", confirm=True)


async def test_agents_may_look_and_operators_may_change(office: Office) -> None:
    letter_id = await office.dead.bury("incoming", "unreadable", "", b"{")
    agent = Caller("agent", "agent")
    assert len((await office.ask("dead_letters", caller=agent))["letters"]) == 1
    for action in ("edit", "replay", "purge"):
        with pytest.raises(Forbidden):
            await office.ask(
                "change_dead_letters", caller=agent, action=action, letter_id=letter_id, confirm=True
            )
    assert await office.found() == [letter_id]


# --- replayed once ----------------------------------------------------------------------------------------


@pytest.mark.promise("letters-once")
async def test_a_message_replayed_twice_is_one_message(office: Office) -> None:
    """Also when the first answer was lost."""
    letter_id = await office.dead.bury("incoming", "unreadable", "", MENDED.encode())

    assert (await office.change("replay", letter_id))["replayed"] == 1
    assert (await office.change("replay", letter_id))["recognised"] == 1
    assert await office.queued() == [MENDED.encode()]
    assert await office.found() == []
    assert await office.found(replayed=True) == [letter_id]


@pytest.mark.promise("letters-once")
async def test_a_message_that_was_answered_before_is_recognised(office: Office) -> None:
    """It came once more by another door while it lay here."""
    await office.desk.write(incoming("Цена?"))
    await office.desk.work()
    letter_id = await office.dead.bury("incoming", "unreadable", "", MENDED.encode())

    await office.change("replay", letter_id)
    await office.desk.line.chats.collect(office.desk.line.now)
    await office.desk.work()

    assert [row[3] for row in await office.desk.turns()] == [["Цена?"]]


@pytest.mark.promise("letters-once")
async def test_a_failed_delivery_goes_back_into_the_outbox_under_its_id(office: Office) -> None:
    """With all its attempts before it; a replay repeated, or cut off in the middle, changes nothing more."""
    message = outgoing()
    letter_id = await bury(office, message, state="failed")

    found = await office.dead.find(letter_id)
    assert found is not None
    await office.resending.resend(found.letter)  # and the process dies before the letter has moved
    assert await state_of(office, message) == ("queued", 0)
    assert (await office.change("replay", letter_id))["recognised"] == 1

    assert await office.here.rows("SELECT id, queued_at FROM outbound") == [(message.id, None)]
    assert await office.queued(KEYS.outgoing.source) == []
    assert (await office.change("replay", letter_id))["recognised"] == 1
    assert await office.found() == []


@pytest.mark.promise("letters-once")
async def test_a_delivery_that_arrived_meanwhile_is_recognised(office: Office) -> None:
    """An earlier attempt had reached the vendor after all."""
    message = outgoing()
    letter_id = await bury(office, message, state="sent")

    assert (await office.change("replay", letter_id))["recognised"] == 1
    assert await state_of(office, message) == ("sent", 1)
    assert await office.queued(KEYS.outgoing.source) == []


async def test_a_delivery_that_may_have_arrived_stays_unknown_and_is_looked_up(office: Office) -> None:
    message = outgoing()
    letter_id = await bury(office, message, reason="outcome_unknown", state="unknown")

    assert (await office.change("replay", letter_id))["replayed"] == 1
    assert await state_of(office, message) == ("unknown", 0)
    assert await office.here.rows("SELECT given_up_at, queued_at FROM outbound") == [(None, None)]


async def test_an_unstored_message_goes_back_to_the_list(office: Office) -> None:
    message = outgoing()
    letter_id = await bury(office, message, reason="unstorable")

    await office.change("replay", letter_id)
    assert await office.queued(KEYS.outgoing.source) == [message.model_dump_json().encode()]


async def test_what_still_cannot_be_read_waits_on(office: Office) -> None:
    letter_id = await office.dead.bury("incoming", "unreadable", "", BROKEN)
    with pytest.raises(Rejected, match="timestamp"):
        await office.change("replay", letter_id)
    assert await office.found() == [letter_id]


# --- edited -----------------------------------------------------------------------------------------------


async def test_other_words_are_another_delivery_and_the_same_edit_the_same_one(office: Office) -> None:
    """Under the old id the channel would refuse them."""
    message = outgoing("Too long")
    letter_id = await bury(office, message, state="failed")
    edited = message.model_copy(update={"text": "Short"}).model_dump_json()
    ids = set()
    for _ in range(2):
        await office.change("edit", letter_id, payload=edited)
        shown = await office.ask("dead_letters", letter_id=letter_id)
        ids.add(json.loads(shown["payload_untrusted"])["id"])
    assert len(ids) == 1
    assert ids != {str(message.id)}
    assert shown["letters"][0]["message_id"] in ids

    await office.change("replay", letter_id)
    [queued] = await office.queued(KEYS.outgoing.source)
    assert json.loads(queued)["text"] == "Short"
    assert await state_of(office, message) == ("failed", 1)


async def test_an_edit_taken_back_is_the_first_delivery_again(office: Office) -> None:
    message = outgoing()
    letter_id = await bury(office, message, state="failed")
    for text in ("Short", message.text):
        payload = message.model_copy(update={"text": text}).model_dump_json()
        await office.change("edit", letter_id, payload=payload)

    await office.change("replay", letter_id)
    assert await state_of(office, message) == ("queued", 0)


async def test_another_chat_is_another_delivery(office: Office) -> None:
    """The words are the same; the wrong chat must not get them."""
    message = outgoing()
    letter_id = await bury(office, message, state="failed")
    moved = message.model_copy(update={"external_chat_id": "c2"}).model_dump_json()
    await office.change("edit", letter_id, payload=moved)
    await office.change("replay", letter_id)

    [queued] = await office.queued(KEYS.outgoing.source)
    assert json.loads(queued)["external_chat_id"] == "c2"
    assert await state_of(office, message) == ("failed", 1)


@pytest.mark.parametrize(("state", "why"), [("unknown", "may have it"), ("sent", "is sent already")])
async def test_words_that_may_have_arrived_cannot_be_edited(office: Office, state: str, why: str) -> None:
    """The customer would read both."""
    message = outgoing()
    letter_id = await bury(office, message, state=state)
    with pytest.raises(Rejected, match=why):
        await office.change(
            "edit", letter_id, payload=message.model_copy(update={"text": "x"}).model_dump_json()
        )


async def test_a_message_whose_id_was_taken_gets_one_of_its_own_by_an_edit(office: Office) -> None:
    first, second = outgoing("Первое"), outgoing("Второе")
    await bury(office, first, state="sent")
    taken = second.model_copy(update={"id": first.id})
    letter_id = await bury(office, taken, reason="idempotency_conflict")

    with pytest.raises(Rejected, match="another message"):
        await office.change("replay", letter_id)
    await office.change("edit", letter_id, payload=taken.model_dump_json())
    assert (await office.change("replay", letter_id))["replayed"] == 1


# --- all that match ---------------------------------------------------------------------------------------


async def test_all_that_match_are_replayed_the_oldest_first(office: Office) -> None:
    """The order of a chat is kept; what cannot be read is named and waits on."""
    for number in range(5):
        office.clock.move(SECOND)
        await office.dead.bury("incoming", "unreadable", "", as_bytes(incoming(str(number))))
    office.clock.move(SECOND)
    broken = await office.dead.bury("incoming", "unreadable", "", BROKEN)
    other = await office.dead.bury("incoming", "refused", "", BROKEN)

    first = await office.change("replay", reason="unreadable", limit=2)
    rest = await office.change("replay", reason="unreadable")

    assert (first["replayed"], first["more"]) == (2, True)
    assert (rest["replayed"], rest["more"]) == (3, False)
    assert [one["letter_id"] for one in rest["refused"]] == [broken]
    assert [json.loads(raw)["text"] for raw in await office.queued()] == list("01234")
    assert set(await office.found()) == {broken, other}


async def test_a_webhooks_letter_goes_through_its_channel(office: Office) -> None:
    letter_id = await office.dead.bury("webhook:vk", "normalize_failed", "", b"{}")
    office.channel.answers = [
        {"status": "kept", "why": "unknown event"},
        {"status": "replayed", "queued": 1},
        {"status": "already"},
    ]
    with pytest.raises(Rejected, match="unknown event"):
        await office.change("replay", letter_id)
    assert (await office.change("replay", letter_id))["replayed"] == 1
    assert (await office.change("replay", letter_id))["recognised"] == 1
    assert office.channel.asked == [("vk", letter_id, "anna")] * 3
