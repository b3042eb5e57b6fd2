"""What did not hold in a scenario, each as one sentence. Pure; the model judge is asked elsewhere."""

import re
from collections.abc import Iterator

from evals.played import Exchange, Played
from evals.scenario import Language, Scenario, Words
from evals.wording import language_of, sums

#: Never anybody's business: how the hub and the agent speak to each other.
SECRETS = r"lease_token|turn_id|_untrusted|wait_for_turn|hand_off|</?conversation>|system prompt:|tool_call"
#: The sums that stand in business.txt, which an agent may name whatever was asked.
OURS = frozenset({1900, 2200, 3000, 3500, 7900})
_SHOWN = 120


def failures(scenario: Scenario, played: Played) -> list[str]:
    """Empty when everything held that needs no judge."""
    found: list[str] = []
    for number, exchange in enumerate(played.exchanges, start=1):
        if exchange.by != "operator":
            found += [f"step {number}: {what}" for what in _of_exchange(exchange, scenario.language)]
    return [*found, *_overall(scenario, played)]


def _of_exchange(exchange: Exchange, language: Language) -> Iterator[str]:
    expect, said = exchange.expect, "\n".join(exchange.replies)
    if exchange.unfinished:
        yield f"not finished: {exchange.unfinished}"
    least, most = expect.most
    count = len(exchange.replies)
    if not least <= count <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        yield f"{count} answers, not {wanted}{_quoted(said)}"
    if exchange.turns != expect.turns:
        yield f"became {exchange.turns} turns, not {expect.turns}"
    if expect.handed_off != "either" and exchange.handed_off is not expect.handed_off:
        yield "was handed to a person" if exchange.handed_off else "was not handed to a person"
    yield from _of_language(said, expect.language or language)
    if expect.asks and said and "?" not in said:
        yield f"asks nothing back{_quoted(said)}"
    if _found(SECRETS, said):
        yield f"tells how it works{_quoted(said)}"
    if count:
        yield from _of_words(expect, said)


def _of_language(said: str, wanted: str) -> Iterator[str]:
    spoken = language_of(said)
    if wanted != "any" and spoken not in (None, wanted):
        yield f"speaks {spoken}, not {wanted}{_quoted(said)}"


def _of_words(words: Words, said: str) -> Iterator[str]:
    for pattern in words.says:
        if not _found(pattern, said):
            yield f"does not say {pattern!r}{_quoted(said)}"
    if words.says_any and not any(_found(pattern, said) for pattern in words.says_any):
        yield f"says none of {', '.join(map(repr, words.says_any))}{_quoted(said)}"
    for pattern in words.never:
        if _found(pattern, said):
            yield f"says {pattern!r}{_quoted(said)}"
    yield from _of_sums(words, set(sums(said)), said)


def _of_sums(words: Words, named: set[int], said: str) -> Iterator[str]:
    for one in sorted(set(words.names) - named):
        yield f"does not name {one} ₽{_quoted(said)}"
    if words.prices is not None:
        known = {one for one in words.prices if one != "ours"} | (OURS if "ours" in words.prices else set())
        for one in sorted(named - known):
            yield f"names {one} ₽, which is no price of ours{_quoted(said)}"


def _overall(scenario: Scenario, played: Played) -> Iterator[str]:
    overall = scenario.overall
    yield from (f"overall: {what}" for what in _of_words(overall, played.told))
    if overall.handed_off != "either" and played.handed_off is not overall.handed_off:
        yield "overall: a person has it" if played.handed_off else "overall: no person has it"
    if overall.bystander_hears is not None and played.bystander_heard != overall.bystander_hears:
        yield f"overall: the bystander hears {played.bystander_heard} messages, not {overall.bystander_hears}"


def _found(pattern: str, said: str) -> bool:
    """Whatever kind of space stands between the words."""
    return re.search(pattern, re.sub(r"[^\S\n]", " ", said), re.IGNORECASE) is not None


def _quoted(said: str) -> str:
    line = " ".join(said.split())
    return f": «{line if len(line) <= _SHOWN else line[:_SHOWN] + '…'}»" if line else ""
