"""What becomes of a reply while the customer writes on, takes words back, or another agent has the turn."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.keys import Keys
from orchestrator.history import messages_of_turn
from orchestrator.turns import (
    Committed,
    Seen,
    StaleLease,
    Superseded,
    commit_silence,
    get_turn,
    release,
)
from tests.integration.chats_fixture import incoming
from tests.integration.test_hub import CHAT, LEASE, Agents, house, lease, opened, said
from tests.integration.test_resolve_scene import LEASE_SECONDS, Scene, message, scene


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=20) as made:
        yield made


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


@pytest.fixture
async def collecting(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url, collects=True) as made:
        yield made


async def change(agents: Agents, event: str, number: int, text: str = "", *, second: int = 50) -> None:
    """The customer edits or deletes the message of that number in CHAT, and it is resolved."""
    await agents.here.resolve(message(f"{CHAT}-{number}", text or " ", second=second, event=event))


# --- edits and deletes of a turn in work ------------------------------------------------------------------


@pytest.mark.promise("changed-turn")
async def test_a_reply_to_words_that_were_edited_is_refused_with_the_new_ones(agents: Agents) -> None:
    await agents.customer("Сколько стоит экран?", "на iPhone 12")
    turn = await agents.turn()
    await change(agents, "edit", 1, "на iPhone 13")

    refused = await agents.reply(turn, "На iPhone 12: 7 900 ₽.")
    answered = await agents.reply(turn | {"lease_token": refused["lease_token"]}, "На iPhone 13: 9 900 ₽.")

    assert refused["status"] == "superseded"
    assert [(one["text_untrusted"], one["edited"]) for one in refused["new_messages"]] == [
        ("на iPhone 13", True)
    ]
    assert answered["status"] == "queued"
    assert [text for text, *_ in await agents.outbound()] == ["На iPhone 13: 9 900 ₽."]


@pytest.mark.promise("fresh-reply")
async def test_an_edit_seen_on_the_way_does_not_stand_for_a_newer_turn_unseen(here: Scene) -> None:
    """Found by the model test: the edit has a later number than the message, which is in another turn yet."""
    await here.resolve(message("1"))
    turn = await here.leased()
    await here.resolve(message("2", second=1))
    await here.resolve(message("1", "other words", second=2, event="edit"))
    shown = await get_turn(here.pool, turn.turn.id)
    assert shown is not None
    assert await here.texts_of_turn(turn.turn.id) == ["other words"]

    outcome = await here.reply(turn, seen=Seen(shown.latest_message_id))

    assert isinstance(outcome, Superseded)
    assert [one.external_message_id for one in outcome.new_messages] == ["2"]
    assert isinstance(await here.reply(turn, seen=Seen(outcome.latest)), Committed)


@pytest.mark.promise("changed-turn")
async def test_a_reply_to_words_that_were_taken_back_is_refused_and_the_turn_may_be_left(
    agents: Agents,
) -> None:
    await agents.customer("Сколько стоит экран?")
    turn = await agents.turn()
    await change(agents, "delete", 0)

    refused = await agents.reply(turn, "7 900 ₽.")
    skipped = await agents.call("skip_turn", **lease(turn) | {"lease_token": refused["lease_token"]})

    assert (refused["status"], skipped["status"]) == ("superseded", "closed")
    assert [(one["type"], one["text_untrusted"]) for one in refused["new_messages"]] == [("deleted", "")]
    assert "skip_turn" in refused["next_step"]
    assert await agents.outbound() == []
    assert await agents.none()


@pytest.mark.promise("changed-turn")
async def test_an_edit_that_is_still_gathering_counts_too(agents: Agents) -> None:
    """It has come, and nobody waits for a silence to know it: not for a reply, not for a skip."""
    await agents.customer("Экран?")
    turn = await agents.turn()
    await agents.desk.write(message(f"{CHAT}-0", "Батарея?", second=9, event="edit").model_dump(mode="json"))

    skipped = await agents.call("skip_turn", **lease(turn))

    assert (skipped["status"], said(skipped, "new_messages")) == ("superseded", ["Батарея?"])
    assert (await agents.desk.line.survey())[0] == 0


@pytest.mark.promise("changed-turn")
async def test_a_refusal_for_an_edit_that_was_lost_on_the_way_is_told_again(agents: Agents) -> None:
    await agents.customer("Экран?")
    turn = await agents.turn()
    await change(agents, "edit", 0, "Батарея?")

    first, again = await agents.reply(turn), await agents.reply(turn)

    assert first["status"] == "superseded"
    assert first == again


@pytest.mark.promise("changed-turn")
async def test_an_edit_that_changes_nothing_and_a_reaction_refuse_no_reply(agents: Agents) -> None:
    await agents.customer("Экран?")
    turn = await agents.turn()
    await change(agents, "edit", 0, "Экран?")
    await change(agents, "reaction", 0, "👍")

    assert (await agents.reply(turn))["status"] == "queued"


@pytest.mark.promise("changed-turn")
async def test_a_forced_reply_goes_out_although_the_words_have_changed(agents: Agents) -> None:
    await agents.customer("Экран?")
    turn = await agents.turn()
    await change(agents, "edit", 0, "Батарея?")

    assert (await agents.reply(turn, force=True))["status"] == "queued"


@pytest.mark.promise("changed-turn")
async def test_what_came_and_was_deleted_again_unseen_refuses_no_reply(here: Scene) -> None:
    await here.resolve(message("1"))
    leased = await here.leased()
    seen = Seen(leased.turn.latest_message_id)
    await here.resolve(message("2"))
    await here.resolve(message("2", second=5, event="delete"))

    assert isinstance(await here.reply(leased, seen=seen), Committed)


@pytest.mark.promise("changed-turn")
async def test_what_was_seen_and_then_deleted_refuses_a_reply(here: Scene) -> None:
    """Also when an earlier refusal has shown it."""
    await here.resolve(message("1"))
    leased = await here.leased()
    await here.resolve(message("2"))
    shown = await here.reply(leased, seen=Seen(leased.turn.latest_message_id))
    assert isinstance(shown, Superseded)
    await here.resolve(message("2", second=5, event="delete"))

    refused = await here.reply(leased, seen=Seen(shown.latest))

    assert isinstance(refused, Superseded)
    assert [one.external_message_id for one in refused.new_messages if one.deleted_at] == ["2"]
    assert isinstance(await here.reply(leased, seen=Seen(refused.latest)), Committed)


@pytest.mark.promise("changed-turn")
async def test_before_it_is_offered_a_turn_has_the_words_as_they_are(agents: Agents) -> None:
    await agents.customer("Экран?", "и чехол", "и стекло")
    await change(agents, "edit", 0, "Батарея?")
    await change(agents, "delete", 1)

    turn = await agents.turn()

    assert [(one["type"], one["text_untrusted"], one["edited"]) for one in turn["messages"]] == [
        ("text", "Батарея?", True),
        ("deleted", "", False),
        ("text", "и стекло", False),
    ]
    assert (await agents.reply(turn))["status"] == "queued"


@pytest.mark.promise("changed-turn")
async def test_what_changes_after_the_answer_is_told_in_the_history_of_the_next_turn(agents: Agents) -> None:
    """It opens no turn of its own."""
    await agents.customer("iPhone 12", "чёрный")
    await agents.reply(await agents.turn(), "Есть.")
    await change(agents, "edit", 0, "iPhone 13")
    await change(agents, "delete", 1)
    assert await agents.none()

    await agents.customer("Так есть?")

    assert said(await agents.turn(), "history") == [
        "iPhone 13 [edited at 2027-01-15T08:00:50.000Z, before: iPhone 12]",
        "[deleted at 2027-01-15T08:00:50.000Z]",
        "Есть.",
    ]


# --- the policy -------------------------------------------------------------------------------------------


@pytest.mark.promise("in-flight")
async def test_collect_sends_the_reply_and_what_came_since_is_a_turn_after_it(collecting: Agents) -> None:
    agents = collecting
    await agents.customer("Экран?")
    turn = await agents.turn()
    await agents.customer("И батарея?")
    assert await agents.none()

    assert (await agents.reply(turn, "7 900 ₽."))["status"] == "queued"

    after = await agents.turn()
    assert said(after) == ["И батарея?"]
    assert said(after, "history") == ["Экран?", "7 900 ₽."]
    assert (await agents.reply(after, "2 500 ₽."))["status"] == "queued"
    assert await agents.none()


@pytest.mark.promise("in-flight")
async def test_collect_does_not_cut_off_who_is_still_writing(collecting: Agents) -> None:
    """Neither a reply nor a skip closes the burst: it becomes one turn after its own silence."""
    agents = collecting
    await agents.customer("Экран?")
    turn = await agents.turn()
    await agents.types("Ой,")

    assert (await agents.call("skip_turn", **lease(turn)))["status"] == "closed"
    assert (await agents.desk.line.survey())[0] == 1

    await agents.types("батарея")
    await agents.desk.work()
    assert said(await agents.turn()) == ["Ой,", "батарея"]


@pytest.mark.promise("in-flight")
async def test_collect_still_tells_what_changed_in_the_turn_itself(collecting: Agents) -> None:
    """A change is in no turn of its own, so nobody would hear of it."""
    await collecting.customer("Экран?")
    turn = await collecting.turn()
    await collecting.customer("и ещё")
    await change(collecting, "edit", 0, "Батарея?")

    refused = await collecting.reply(turn, "7 900 ₽.")

    assert (refused["status"], said(refused, "new_messages")) == ("superseded", ["Батарея?"])
    assert (await collecting.reply(turn | {"lease_token": refused["lease_token"]}))["status"] == "queued"
    assert said(await collecting.turn()) == ["и ещё"]


@pytest.mark.promise("no-secrets")
async def test_what_an_agent_says_of_a_customer_stands_in_no_log(agents: Agents) -> None:
    """An agent's reason may quote a customer, and a log outlives an erasure."""
    await agents.customer("Экран?")
    await agents.customer("Батарея?", chat="other")
    skipped, handed = [await agents.turn() for _ in range(2)]

    with capture_logs() as logs:
        await agents.call("skip_turn", **lease(skipped), reason="Анна просила не отвечать")
        await agents.call("hand_off", **lease(handed), reason="Анна сердится")

    assert {"turn_skipped", "turn_handed_off"} <= {entry["event"] for entry in logs}
    assert "Анна" not in str(logs)


@pytest.mark.promise("in-flight")
async def test_an_agent_that_waits_hears_of_the_turn_after_this_one_at_once(collecting: Agents) -> None:
    """By the bell, not by a look once a second."""
    await collecting.customer("Экран?")
    turn = await collecting.turn()
    await collecting.customer("и ещё")
    ticket = collecting.desk.bell.ticket

    await collecting.reply(turn)

    assert collecting.desk.bell.ticket > ticket


@pytest.mark.promise("in-flight")
@pytest.mark.parametrize(("policy", "status"), [("supersede", "superseded"), ("collect", "queued")])
async def test_the_policy_is_a_setting_of_the_deployment(
    redis_url: str, database_url: str, policy: str, status: str
) -> None:
    async with house(redis_url, database_url, in_flight=policy) as here:
        await here.redis.rpush(Keys().incoming.source, json.dumps(incoming("Экран?")))
        turn = await here.turn()
        await here.redis.rpush(Keys().incoming.source, json.dumps(incoming("Ой, батарея")))

        answer = await here.post(f"/api/turns/{turn['turn_id']}/reply", {**lease(turn), "text": "7 900 ₽"})

    assert answer.json()["status"] == status


# --- leases -----------------------------------------------------------------------------------------------


@pytest.mark.promise("stale-lease")
async def test_a_lease_that_ends_during_a_long_call_commits_nothing_once_another_has_it(
    agents: Agents,
) -> None:
    """vercel/chat#685: a lock expires while the agent thinks, a second one begins, and both answer."""
    await agents.customer("Цена?")
    slow = await agents.turn(agent="slow")
    await agents.pass_time(LEASE)
    quick = await agents.turn(agent="quick")

    assert (await agents.reply(slow, "Из первых рук"))["status"] == "stale_lease"
    assert (await agents.reply(slow, "Точно!", force=True))["status"] == "stale_lease"
    assert (await agents.call("skip_turn", **lease(slow)))["status"] == "stale_lease"
    assert (await agents.reply(quick, "Из вторых"))["status"] == "queued"
    assert (await agents.reply(slow, "Поздно"))["status"] == "stale_lease"
    assert [text for text, *_ in await agents.outbound()] == ["Из вторых"]


@pytest.mark.promise("stale-lease")
async def test_a_long_call_whose_turn_nobody_took_is_not_done_in_vain(agents: Agents) -> None:
    """Else a lone agent that always thinks longer than a lease would never answer anybody."""
    await agents.customer("Цена?")
    slow = await agents.turn()
    await agents.pass_time(LEASE * 3)

    assert (await agents.reply(slow, "7 900 ₽."))["status"] == "queued"
    assert await agents.none()


@pytest.mark.promise("stale-lease")
async def test_a_long_call_must_have_seen_the_newest_message_all_the_same(agents: Agents) -> None:
    await agents.customer("Цена?")
    slow = await agents.turn()
    await agents.pass_time(LEASE * 3)
    await agents.types("уже не нужно")

    assert (await agents.reply(slow, "7 900 ₽."))["status"] == "superseded"


@pytest.mark.promise("stale-lease")
async def test_whoever_gave_the_turn_back_can_never_commit_it(here: Scene) -> None:
    await here.resolve(message("1"))
    first = await here.leased()
    assert await release(here.pool, first.lease, now=here.now)

    assert await here.reply(first) == StaleLease()
    second = await here.leased()
    assert await here.reply(first) == StaleLease()
    assert isinstance(await here.reply(second), Committed)


# --- the watermark ----------------------------------------------------------------------------------------


@pytest.mark.promise("fresh-reply")
async def test_deliberate_silence_is_an_answer_and_nothing_is_offered_twice(agents: Agents) -> None:
    """fazer-ai/agents#452: the watermark stays where it was, and the agent answers old messages again."""
    await agents.customer("Спасибо!")
    await agents.call("skip_turn", **lease(await agents.turn()))
    assert await agents.none()

    await agents.customer("А чехлы есть?")

    turn = await agents.turn()
    assert (said(turn), said(turn, "history")) == (["А чехлы есть?"], ["Спасибо!"])


@pytest.mark.promise("fresh-reply")
@pytest.mark.parametrize("failure", ["crash", "release", "refused"])
async def test_what_an_agent_failed_to_answer_is_offered_again(here: Scene, failure: str) -> None:
    """fazer-ai/agents#452, the other half: the watermark advances on failure, and the message is lost."""
    await here.resolve(message("1"))
    leased = await here.leased()
    if failure == "refused":
        with pytest.raises(ValueError, match="a message needs"):
            await here.reply(leased, "")
    if failure == "release":
        await release(here.pool, leased.lease, now=here.now)
    here.pass_time(LEASE_SECONDS)
    await here.resolve(message("2", second=90))

    again = await here.leased("agent-2")

    shown = await messages_of_turn(here.pool, again.turn.id)
    assert [one.external_message_id for one in shown] == ["1", "2"]
    assert isinstance(await here.reply(again), Committed)


@pytest.mark.promise("fresh-reply")
async def test_silence_that_has_not_seen_everything_is_refused_like_a_reply(agents: Agents) -> None:
    await agents.customer("Спасибо!")
    turn = await agents.turn()
    await agents.types("А чехлы есть?")

    refused = await agents.call("skip_turn", **lease(turn))

    assert (refused["status"], said(refused, "new_messages")) == ("superseded", ["А чехлы есть?"])


async def test_a_turn_finished_by_silence_stays_as_it_was(here: Scene) -> None:
    """An edit afterwards is history and moves no watermark."""
    await here.resolve(message("1"))
    leased = await here.leased()
    await commit_silence(here.pool, leased.lease, now=here.now)
    before = await get_turn(here.pool, leased.turn.id)
    edited: Any = await here.resolve(message("1", "x", second=99, event="edit"))

    assert await get_turn(here.pool, leased.turn.id) == before
    assert not edited.ready
