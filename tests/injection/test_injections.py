"""No tool's behaviour follows from what a message says, wherever in the message it says it."""

import asyncio
import json
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from core.untrusted import SUFFIX, clean
from launcher.engines import Engines
from tests.engines_fixture import database, empty_redis
from tests.injection.corpus import Attempt, attempts
from tests.injection.played import Played, leaves, play

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


def test_every_attempt_was_a_turn_like_any_other(played: Played) -> None:
    """It closed as one, an agent was shown it, and could finish it."""
    finished = [
        who for who, asked, answer in played.shown if asked == "skip_turn" and answer["status"] == "closed"
    ]

    assert len(finished) >= len(played.customers) + len(played.ordinary)
    assert set(played.customers) <= set(played.states)
    assert all(played.states[who][0] for who in played.customers)


def test_the_state_is_that_of_a_harmless_text_of_the_same_shape(played: Played) -> None:
    """Turns, cases, messages, facts and identities of the customer, one by one."""
    wrong = {
        f"{door}: {one.name}": (played.states[who], played.states[played.ordinary[door, one.like]])
        for who, (door, one) in played.customers.items()
        if played.states[who] != played.states[played.ordinary[door, one.like]]
    }

    assert wrong == {}


def test_nobody_else_is_touched(played: Played) -> None:
    """Nobody is paused, written to, merged, erased or noted down; the other one's case is as it was."""
    assert set(played.never) == {0}
    assert played.bystander_after == played.bystander_before
    assert [name for name in played.keys if name.split(":")[0] in ("paused", "idem", "dead", "sending")] == []


def test_no_answer_has_an_attempt_outside_of_a_marked_field(played: Played) -> None:
    """Not as it stands, not percent-encoded, not in the name of a field."""
    telling = {one.name: one.telling for _, one in played.customers.values()}
    found = {
        (asked, path, name)
        for _, asked, answer in played.shown
        for path, text in leaves(answer)
        if not _is_marked(path)
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
    turns = {who: answer for who, asked, answer in played.shown if asked == "wait_for_turn"}
    missing = [
        f"{door}: {one.name}"
        for who, (door, one) in played.customers.items()
        if who in turns and not any(one.telling in " ".join(text.split()) for _, text in leaves(turns[who]))
    ]

    assert missing == []


def test_what_was_written_is_kept_whole(played: Played) -> None:
    """Nothing is taken out of what is stored: an operator, and an export, see what came."""
    missing = [
        f"{door}: {one.name}"
        for who, (door, one) in played.customers.items()
        if door != "form" and not any(_same(text, one) for text in played.stored[who])
    ]

    assert missing == []


def test_no_line_of_the_log_is_a_customers(played: Played) -> None:
    """Every line is one event of ours, and none has their words."""
    events = [json.loads(line) for line in played.log]
    telling = [one.telling for _, one in played.customers.values()]

    assert all(isinstance(event, dict) and event["service"] == "shop" for event in events)
    assert not {event["event"] for event in events} & {"client_erased", "approved"}
    assert [line for line in played.log for words in telling if words in line] == []


def _is_marked(path: str) -> bool:
    return any(name.endswith(SUFFIX) for name in path.split("."))


def _same(stored: str, one: Attempt) -> bool:
    return stored == one.text or (stored.strip() == one.text.strip() and bool(clean(stored)))
