"""What the agent says without a model: every rule that matches a turn, once, in one reply."""

import re
from dataclasses import dataclass
from typing import Protocol

from examples.agent.hub import Turn
from examples.agent.rules import DEFAULT, PHOTO, RULES, VIDEO, VOICE, Says

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_LATIN = re.compile("[a-z]", re.IGNORECASE)


class Answerer(Protocol):
    """Anything that can answer a turn."""

    async def answer(self, turn: Turn) -> str:
        """The reply to all messages of the turn; "" to stay silent."""


@dataclass(frozen=True, slots=True)
class RuleAnswerer:
    """Answers from the table in rules.py, in Russian, or in English to those who write English only."""

    async def answer(self, turn: Turn) -> str:
        words = [message.text_untrusted for message in turn.messages]
        words += [message.voice_transcript_untrusted for message in turn.messages]
        text = "\n".join(words)
        said = [*_media(turn), *(rule.says for rule in RULES if rule.asks.search(text))] or [DEFAULT]
        language = "en" if _LATIN.search(text) and not _CYRILLIC.search(text) else "ru"
        return "\n\n".join(_in_language(one, language, turn) for one in said)


def _media(turn: Turn) -> list[Says]:
    photos = any(message.image_urls for message in turn.messages)
    voices = any(message.voice_url or message.voice_transcript_untrusted for message in turn.messages)
    videos = any(message.has_video or message.has_document for message in turn.messages)
    return [says for says, present in ((PHOTO, photos), (VOICE, voices), (VIDEO, videos)) if present]


def _in_language(says: Says, language: str, turn: Turn) -> str:
    text = says.en if language == "en" else says.ru
    return text.replace("{count}", str(len(turn.messages)))
