"""How much later than its closing a turn is offered: the two waits for what completes it, and no more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import pytest

from core.messages import IncomingMessage
from orchestrator.enrich import Enricher
from orchestrator.safekeeping import FactsAndFiles, Safekeeping
from orchestrator.settings import OrchestratorSettings

T = TypeVar("T")
WORDS = "Цена?"


class Sleepless(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer: nothing is waited for, and every wait is counted."""

    ahead = 0.0

    def time(self) -> float:
        """In seconds, as the loop's waits have it."""
        return super().time() + self.ahead

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]  # no public name for these
        if not ready and timers:
            self.ahead += max(0.0, timers[0].when() - self.time())
        super()._run_once()  # type: ignore[misc]  # as above


class Silent:
    """A channel, its manifest and its files, none of which ever answers."""

    names = frozenset({"avito"})

    async def of(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    chat = media_link = profile = fetch = of


def timed(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """What it gives, and how long that took by the loop's own time, in seconds."""

    async def measured() -> tuple[T, float]:
        begun = asyncio.get_running_loop().time()
        return await work, asyncio.get_running_loop().time() - begun

    with asyncio.Runner(loop_factory=Sleepless) as runner:
        return runner.run(measured())


def completing(*, facts: float, files: float) -> FactsAndFiles:
    silent = cast(Any, Silent())
    keeping = Safekeeping(silent, silent, silent, seconds=files, at_once=2)
    return FactsAndFiles(Enricher(silent, silent, seconds=facts), keeping)


def with_photo(number: int) -> IncomingMessage:
    return IncomingMessage.model_validate(
        {
            "channel": "avito",
            "external_user_id": "anna",
            "external_chat_id": "c1",
            "external_message_id": str(number),
            "text": WORDS,
            "timestamp": "2026-01-01T00:00:00Z",
            "media": {"has_images": True, "images": [{"url": f"https://cdn/{number}"}]},
        }
    )


@pytest.mark.promise("bound")
def test_a_turn_that_nothing_completes_is_late_by_the_two_waits_together() -> None:
    """Whatever is silent, and however many files there are: docs/reliability.md gives this figure."""
    facts = OrchestratorSettings.model_fields["enrichment_seconds"].default
    files = OrchestratorSettings.model_fields["media_wait_seconds"].default
    album = [with_photo(number) for number in range(30)]

    (messages, context), late = timed(completing(facts=facts, files=files).enrich(album))

    assert (facts, files) == (3.0, 6.0)
    assert 8.9 < late < 9.5
    assert ([one.text for one in messages], context) == ([WORDS] * 30, None)


@pytest.mark.promise("bound")
def test_without_a_wait_for_files_only_the_facts_are_waited_for() -> None:
    _, late = timed(completing(facts=0.5, files=0).enrich([with_photo(1)]))

    assert 0.4 < late < 1.0
