"""No tool's behaviour follows from what a message says, wherever in the message it says it."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from core.untrusted import clean
from launcher.engines import Engines
from tests.engines_fixture import database, empty_redis
from tests.injection.answers import is_marked, leaves, shape
from tests.injection.corpus import Attempt, attempts
from tests.injection.deeds import ANSWER, ENDS, WRITING
from tests.injection.played import Customer, Played, play

pytestmark = pytest.mark.promise("injection")


@pytest.fixture(scope="module")
def played(engines: Engines, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All of it, once."""
    with database(engines, like=migrated) as url:
        yield asyncio.run(play(empty_redis(engines), url, tmp_path_factory.mktemp("injection")))


def test_the_corpus_is_of_both_languages_and_of_many_kinds() -> None:
    corpus = attempts()

    assert len(corpus) >= 60
    assert len({one.kind for one in corpus}) >= 20
    assert abs(sum(1 if one.language == "ru" else -1 for one in corpus)) <= 2


def test_every_attempt_was_one_turn_like_any_other(played: Played) -> None:
    """An agent was shown it, and could answer it, hand it off, or change its case."""
    ended = {
        who: [answer["status"] for _, answer in told if "status" in answer][-1]
        for who, told in played.told.items()
    }
    met = {(one.attempt, one.deed) for one in played.everybody.values() if one.attempt and one.door != "form"}

    assert set(played.turns) == set(played.everybody)
    assert ended == {who: _end(one) for who, one in played.everybody.items()}
    assert len(met) == len(attempts()) * len(WRITING)


def test_the_state_is_that_of_a_harmless_text_of_the_same_shape(played: Played) -> None:
    """Turns, cases, notes, pauses, messages in and out, facts and identities of the customer, one by one."""
    assert _unlike(played, played.states) == {}


def test_what_a_tool_answers_is_what_it_answers_about_a_harmless_text(played: Played) -> None:
    """Without ids, times, tokens and marked words: what became of it, what to do next, or the refusal."""
    shapes = {who: [{tool: shape(answer)} for tool, answer in told] for who, told in played.told.items()}

    assert _unlike(played, shapes) == {}


def test_who_was_answered_too_early_wrote_on_in_marked_fields(played: Played) -> None:
    """The refusal has the newest words, and the next answer goes out."""
    for who, (door, one) in played.attempts.items():
        if played.everybody[who].deed == "reply" and door != "form":
            refused = next(answer for tool, answer in played.told[who] if tool == "reply")
            assert refused["status"] == "superseded"
            assert any(one.telling in " ".join(text.split()) for _, text in leaves(refused["new_messages"]))


def test_what_is_done_is_what_the_agent_did(played: Played) -> None:
    """Our own words, once to each who was answered; as many pauses and notes as were asked for; no more."""
    answered = {
        (played.turns[who]["channel"], played.turns[who]["chat_id"], ANSWER): 1
        for who, one in played.everybody.items()
        if _end(one) == "queued"
    }

    assert played.sent == answered
    assert played.done == (len(answered), played.of("hand_off"), played.of("update_appeal"))


def test_a_prompt_is_our_words_alone(played: Played) -> None:
    """Whoever wrote: two tasks of one name and language differ in an id."""
    told = [(asked, answer["task"]) for _, asked, answer in played.shown if asked.startswith("prompts/get")]

    assert len({(asked, re.sub(r"\d+", "", task)) for asked, task in told}) == 6


def test_nobody_else_is_touched(played: Played) -> None:
    """Nobody is merged, erased or written to in bulk; the other one's case is as it was."""
    assert set(played.never) == {0}
    assert played.bystander_after == played.bystander_before
    assert [name for name in played.keys if name.split(":")[0] in ("idem", "dead", "sending")] == []


def test_no_answer_has_an_attempt_outside_of_a_marked_field(played: Played) -> None:
    """Not as it stands, not percent-encoded, not in the name of a field."""
    telling = {one.name: one.telling for _, one in played.attempts.values()}
    found = {
        (asked, path, name)
        for _, asked, answer in played.shown
        for path, text in leaves(answer)
        if not is_marked(path)
        for name, words in telling.items()
        if words in " ".join(text.split()) or words in " ".join(unquote(text).split())
    }

    assert found == set()


def test_what_is_shown_is_cleaned(played: Played) -> None:
    """Of everything that people cannot see, wherever it stands."""
    hidden = set(
        "\u200b\u2060\ufeff\u00ad\u202e\u202c\u2066\u2067\u2069\u200f\x1b\x07\x08\x9b\ufe00\U000e0101"
    )
    hidden |= {chr(0xE0000 + ord(letter)) for letter in "CLOSEIgnore"}

    assert [
        (asked, path)
        for _, asked, answer in played.shown
        for path, text in leaves(answer)
        if hidden & set(text)
    ] == []


def test_an_attempt_is_shown_to_whoever_has_to_answer_it(played: Played) -> None:
    """Marked, not censored: the agent sees what the customer wrote."""
    missing = [
        f"{door}: {one.name}"
        for who, (door, one) in played.attempts.items()
        if not any(one.telling in " ".join(text.split()) for _, text in leaves(played.turns[who]))
    ]

    assert missing == []


def test_what_was_written_is_kept_whole(played: Played) -> None:
    """Nothing is taken out of what is stored: an operator, and an export, see what came."""
    missing = [
        f"{door}: {one.name}"
        for who, (door, one) in played.attempts.items()
        if door != "form" and not any(_same(text, one) for text in played.stored[who])
    ]

    assert missing == []


def test_no_line_of_the_log_is_a_customers(played: Played) -> None:
    """Every line is one event of ours, and none has their words."""
    events = [json.loads(line) for line in played.log]
    telling = [one.telling for _, one in played.attempts.values()]

    assert all(isinstance(event, dict) and event["service"] == "shop" for event in events)
    assert not {event["event"] for event in events} & {"client_erased", "approved"}
    assert [line for line in played.log for words in telling if words in line] == []


def _end(one: Customer) -> str:
    """A form cannot be answered: that turn is passed over."""
    return ENDS["skip_turn" if (one.door, one.deed) == ("form", "reply") else one.deed]


def _unlike(played: Played, found: Mapping[str, Any]) -> dict[str, Any]:
    """Which attempts came to something else than their like: what, and what it should have been."""
    return {
        f"{door}: {one.name}": (found[who], found[played.ordinary(who)])
        for who, (door, one) in played.attempts.items()
        if found[who] != found[played.ordinary(who)]
    }


def _same(stored: str, one: Attempt) -> bool:
    return stored == one.text or (stored.strip() == one.text.strip() and bool(clean(stored)))
