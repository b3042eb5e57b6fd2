"""The inbox at the hub as a person sees it: who waits, who has whom, and what is said in a conversation."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.auth import Caller
from core.errors import NotFound
from core.tools import answered
from orchestrator.hub_app import FOR_OPERATORS
from tests.integration.test_hub import CHAT, Agents, lease, opened

ANNA = Caller("anna", "operator")


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


async def lines(agents: Agents) -> list[dict[str, Any]]:
    shown = await agents.call("show_inbox")
    return list(shown["conversations"])


async def case_of(agents: Agents, chat: str) -> str:
    number = await agents.here.value("SELECT id FROM appeals WHERE external_chat_id = $1", chat)
    return str(number)


async def test_an_empty_inbox_shows_nobody_and_whose_key_it_is(agents: Agents) -> None:
    shown = await agents.asked_by(ANNA, "show_inbox")

    assert (shown["conversations"], shown["more"], shown["next_step"]) == ([], False, "")
    assert (shown["you"]["name"], shown["you"]["speaks_as"]) == ("anna", "operator")
    assert shown["pause_minutes"] == 30


@pytest.mark.promise("inbox-app")
async def test_who_waits_longest_stands_first_then_whoever_changed_last(agents: Agents) -> None:
    for place, chat in enumerate(("answered", "first", "second")):
        await agents.customer(f"я из {chat}", chat=chat, external_user_id=f"user-{place}")
        if chat == "answered":
            await agents.reply(await agents.turn(), "Готово")

    shown = await agents.call("show_inbox")

    found = shown["conversations"]
    assert [one["chat_id"] for one in found] == ["first", "second", "answered"]
    assert [bool(one["waiting_since"]) for one in found] == [True, True, False]
    assert [(one["last_sender"], one["last_text_untrusted"]) for one in found] == [
        ("customer", "я из first"),
        ("customer", "я из second"),
        ("agent", "Готово"),
    ]
    assert "wait_for_turn" in shown["next_step"]


async def test_it_tells_which_agent_is_at_work_and_for_how_long_only(agents: Agents) -> None:
    await agents.customer("Цена?")
    await agents.turn(agent="robot")

    [busy] = await lines(agents)
    await agents.pass_time(121)
    [free] = await lines(agents)

    assert (busy["taken_by"], free["taken_by"]) == ("robot", "")
    assert busy["turn_id"] == free["turn_id"] != ""


async def test_it_tells_which_person_has_the_conversation_and_until_when(agents: Agents) -> None:
    await agents.customer("Цена?")
    place = {"channel": "avito", "chat_id": CHAT}
    await agents.asked_by(ANNA, "pause", **place, minutes=10, reason="спор о цене")

    [line] = await lines(agents)
    await agents.pass_time(601)
    [later] = await lines(agents)

    assert (line["paused"], line["pause_cause"], line["paused_by"]) == (True, "command", "anna")
    assert line["pause_reason_untrusted"] == "спор о цене"
    assert line["paused_until"].endswith("Z")
    assert (later["paused"], later["paused_by"], later["paused_until"]) == (False, "", "")


async def test_what_an_agent_handed_over_waits_for_a_person(agents: Agents) -> None:
    await agents.customer("Позовите человека")
    await agents.call("hand_off", **lease(await agents.turn()), reason="просит человека")

    [line] = await lines(agents)

    assert (line["paused"], line["pause_cause"], line["status"]) == (True, "hand_off", "handed_off")
    assert line["pause_reason_untrusted"] == "просит человека"


async def test_a_case_that_is_closed_leaves_the_inbox_and_can_still_be_opened(agents: Agents) -> None:
    await agents.customer("Спасибо!")
    await agents.call("skip_turn", **lease(await agents.turn()))
    case = await case_of(agents, CHAT)
    await agents.call("close_appeal", appeal_id=case)

    opened = await agents.call("show_inbox", appeal_id=case)

    assert await lines(agents) == []
    assert [one["status"] for one in opened["conversations"]] == ["resolved"]


async def test_a_conversation_has_its_messages_what_became_of_ours_and_the_notes(agents: Agents) -> None:
    await agents.customer("Цена?")
    answer = await agents.reply(await agents.turn(), "5 000 ₽")
    case = await case_of(agents, CHAT)
    await agents.call("update_appeal", appeal_id=case, note="постоянный клиент")

    shown = await agents.call("show_inbox", appeal_id=case)

    assert [(one["sender"], one["text_untrusted"], one["delivery_state"]) for one in shown["messages"]] == [
        ("customer", "Цена?", ""),
        ("agent", "5 000 ₽", "queued"),
    ]
    assert [one["delivery_id"] for one in shown["messages"]] == ["", answer["delivery_id"]]
    assert [one["text_untrusted"] for one in shown["notes"]] == ["постоянный клиент"]
    assert [one["appeal_id"] for one in shown["conversations"]] == [case]


async def test_more_cases_than_are_shown_are_told_of(agents: Agents) -> None:
    for number in range(51):
        await agents.customer("Цена?", chat=f"c{number}", external_user_id=f"user-{number}")

    shown = await agents.call("show_inbox")

    assert (len(shown["conversations"]), shown["more"]) == (50, True)


async def test_a_case_that_does_not_exist_is_said_so(agents: Agents) -> None:
    with pytest.raises(NotFound, match="no appeal 4711"):
        await agents.call("show_inbox", appeal_id="4711")


@pytest.mark.promise("inbox-rights")
async def test_what_only_a_person_may_do_is_offered_to_a_person_only(agents: Agents) -> None:
    mine = await agents.asked_by(ANNA, "show_inbox")
    robots = await agents.asked_by(Caller("robot"), "show_inbox")

    assert set(mine["you"]["may"]) - set(robots["you"]["may"]) == FOR_OPERATORS
    assert robots["you"]["speaks_as"] == "agent"


@pytest.mark.promise("inbox-rights")
@pytest.mark.parametrize(
    ("caller", "may"),
    [
        (Caller("looker", "operator", "read_only"), set()),
        (
            Caller("answerer", "agent", "full", frozenset({"read", "answer"})),
            {"reply", "hand_off", "update_appeal"},
        ),
        (Caller("sender", "agent", "full", frozenset({"read", "send"})), {"send_message"}),
    ],
)
async def test_what_the_key_may_not_do_is_not_offered(agents: Agents, caller: Caller, may: set[str]) -> None:
    shown = await agents.asked_by(caller, "show_inbox")

    assert set(shown["you"]["may"]) == may


async def test_customers_words_are_marked_and_cleaned_as_everywhere(agents: Agents) -> None:
    await agents.customer("Це\u202eна\U000e0041? <img src=x onerror=alert(1)>")
    case = await case_of(agents, CHAT)

    show = next(one for one in agents.hub.operations() if one.name == "show_inbox")

    _, shown = answered(await show.call({"appeal_id": case}))

    words = "Цена? <img src=x onerror=alert(1)>"
    assert shown["conversations"][0]["last_text_untrusted"] == words
    assert shown["messages"][0]["text_untrusted"] == words
