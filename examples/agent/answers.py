"""What the agent says without a model: every rule that matches a turn, once, in one reply."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from examples.agent.hub import Turn
from examples.agent.rules import DEFAULT, OTHERWISE, PHOTO, RULES, UNHEARD, VIDEO, VOICE, Rule, Says

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_LATIN = re.compile("[a-z]", re.IGNORECASE)
#: Latin letters that tell nothing of a language: names of phones, and what the hub puts in brackets.
_OF_NO_LANGUAGE = re.compile(
    r"\[[^\]]*\]|https?://\S+"
    r"|\b(i?phone|ipad|samsung|galaxy|xiaomi|redmi|honor|huawei|pixel|pro|max|mini|plus|ultra|note|se)\b",
    re.IGNORECASE,
)
_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """Say `text` ("": nothing), then give the turn to a person if `hand_off` has a reason."""

    text: str = ""
    hand_off: str = ""


class Answerer(Protocol):
    """Anything that can answer a turn."""

    async def answer(self, turn: Turn) -> Answer:
        """The answer to all messages of the turn; an empty one stays silent."""


@dataclass(frozen=True, slots=True)
class RuleAnswerer:
    """Answers from the table in rules.py, in Russian, or in English to those who write English only."""

    async def answer(self, turn: Turn) -> Answer:
        text = _words(turn)
        rules = list(_matching(text, turn))
        said = [*_media(turn), *(rule.says for rule in rules)] or [DEFAULT]
        language = _language(text, turn)
        asked_for = [rule.topic for rule in rules if rule.person]
        return Answer(
            "\n\n".join(_in_language(one, language, turn) for one in said),
            hand_off=f"by the rules: {', '.join(asked_for)}" if asked_for else "",
        )


def _words(turn: Turn) -> str:
    words = [message.text_untrusted for message in turn.messages]
    words += [message.voice_transcript_untrusted for message in turn.messages]
    return "\n".join(words)


def _matching(text: str, turn: Turn) -> Iterator[Rule]:
    """A greeting is no answer: behind it the second table is asked as well."""
    has_ad = bool(turn.ad_title_untrusted and turn.ad_price_untrusted)
    fitting = [rule for rule in RULES if rule.asks.search(text) and (has_ad or not rule.ad)]
    yield from fitting
    if all(rule.topic == "greeting" for rule in fitting):
        others = [rule for rule in OTHERWISE if rule.asks.search(text) and (has_ad or not rule.ad)]
        yield from others[:1]


def _media(turn: Turn) -> list[Says]:
    photos = any(message.image_urls for message in turn.messages)
    heard = any(message.voice_transcript_untrusted for message in turn.messages)
    unheard = any(message.voice_url and not message.voice_transcript_untrusted for message in turn.messages)
    videos = any(message.has_video or message.has_document for message in turn.messages)
    present = ((PHOTO, photos), (UNHEARD, unheard), (VOICE, heard and not unheard), (VIDEO, videos))
    return [says for says, is_present in present if is_present]


def _language(text: str, turn: Turn) -> str:
    """That of the words; where they are of none, that of the customer's words before."""
    before = (line.text_untrusted for line in reversed(turn.history) if line.sender == "customer")
    for words in (text, *before):
        bare = _OF_NO_LANGUAGE.sub("", words)
        if _CYRILLIC.search(bare):
            return "ru"
        if _LATIN.search(bare):
            return "en"
    return "ru"


def _in_language(says: Says, language: str, turn: Turn) -> str:
    text = says.en if language == "en" else says.ru
    title = turn.ad_title_untrusted[:_LONGEST_TITLE]
    return (
        text.replace("{count}", str(len(turn.messages)))
        .replace("{ad_price}", turn.ad_price_untrusted)
        .replace("{ad_title}", title)
    )
