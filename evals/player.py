"""Plays one scenario against the running system, as its customer, its bystander and the shop's person."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.http import Timing
from evals.customer import SimulatedCustomer
from evals.observer import Fate
from evals.phone import Line, Shown, Written
from evals.played import Exchange, Played
from evals.scenario import By, Deed, Expectation, Scenario

#: This part of the silence may pass between two messages of a burst; more, and it may be no burst.
_STILL_A_BURST = 0.8
_NO_ANSWER = Expectation(answers=0)


class Disturbed(Exception):
    """The machine was too slow to write a burst as a burst: what happened says nothing of the agent."""


class CustomersPhone(Protocol):
    """What the player asks of the phones (phone.py)."""

    async def do(self, line: Line, deed: Deed, target: str) -> Written: ...
    async def say_as_operator(self, channel: str, chat: str, text: str) -> None: ...
    async def shown(self, line: Line) -> list[Shown]: ...


class OperatorsEye(Protocol):
    """What the player asks of the hub (observer.py)."""

    async def fate(self, channel: str, chat: str, message_id: str) -> Fate: ...
    async def with_a_person(self, channel: str, chat: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: the system's silence; how long an answer may take; how long a second answer is awaited."""

    silence: float
    patience: float = 60.0
    settle: float = 1.0
    look_every: float = 0.3


@dataclass(slots=True)
class _Side:
    """One person's chat: the messages they made and did not take back, and what they saw of ours."""

    by: By
    line: Line
    chat: str = ""
    messages: list[list[str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    last: Exchange | None = None


class Player:
    """One conversation at a time each; many may be played at once."""

    def __init__(
        self, phone: CustomersPhone, observer: OperatorsEye, pace: Pace, timing: Timing | None = None
    ) -> None:
        self._phone = phone
        self._observer = observer
        self._pace = pace
        self._timing = timing or Timing()

    async def play(self, scenario: Scenario, name: str, customer: SimulatedCustomer) -> Played:
        """As somebody called `name`, who has never written before. Raises Disturbed, LookupError for what
        the messenger cannot do, httpx.HTTPError when the system is gone."""
        sides: dict[By, _Side] = {
            "customer": _Side("customer", Line(scenario.channel, name, scenario.ad)),
            "bystander": _Side("bystander", Line(scenario.channel, f"{name} II", scenario.ad)),
        }
        played = Played()
        for step in scenario.steps:
            if step.operator is not None:
                played.exchanges.append(await self._take_over(sides["customer"], step.operator))
            else:
                played.exchanges.append(await self._exchange(sides[step.by], step.deeds, step.expect))
        for _ in range(scenario.customer.most):
            following = await customer.goes_on(played)
            if following is None:
                break
            exchange = await self._exchange(sides["customer"], following.deeds, following.expect)
            played.exchanges.append(exchange)
        await self._timing.sleep(self._pace.settle)
        await self._collect(sides["customer"])
        played.bystander_heard = len(await self._news(sides["bystander"]))
        return played

    async def _take_over(self, side: _Side, text: str) -> Exchange:
        """The shop's person writes; the system has heard of it when the AI is silent."""
        await self._phone.say_as_operator(side.line.channel, side.chat, text)
        exchange = Exchange("operator", [text], _NO_ANSWER)
        ends = self._timing.clock() + self._pace.patience
        while not exchange.handed_off and self._timing.clock() < ends:
            await self._timing.sleep(self._pace.look_every)
            exchange.handed_off = await self._observer.with_a_person(side.line.channel, side.chat)
        return exchange

    async def _exchange(self, side: _Side, deeds: Sequence[Deed], expect: Expectation) -> Exchange:
        await self._collect(side)
        side.last = exchange = Exchange(side.by, [_shown(deed) for deed in deeds], expect)
        first = len(side.messages)
        await self._do(side, deeds)
        began = self._timing.clock()
        await self._rest(side, [one for made in side.messages[first:] for one in made], exchange)
        exchange.seconds = self._timing.clock() - began
        await self._collect(side)
        return exchange

    async def _do(self, side: _Side, deeds: Sequence[Deed]) -> None:
        before: float | None = None
        for deed in deeds:
            await self._timing.sleep(deed.gap if before is not None else 0)
            named = (deed.edit or deed.delete or 0) - 1
            target = side.messages[named][0] if named >= 0 else ""
            written = await self._phone.do(side.line, deed, target)
            if deed.writes:
                side.chat = written.chat
                side.messages.append(written.ids)
            elif deed.delete:
                side.messages[named] = []
            now = self._timing.clock()
            if before is not None and now - before > self._pace.silence * _STILL_A_BURST:
                raise Disturbed(f"{now - before:.1f} s passed within a burst")
            before = now

    async def _rest(self, side: _Side, ids: Sequence[str], exchange: Exchange) -> None:
        """Wait until nothing is left to be done for these messages but by a person."""
        await self._timing.sleep(self._pace.silence)
        if not ids:
            await self._timing.sleep(self._pace.settle)
            exchange.turns = 0
            return
        ends = self._timing.clock() + self._pace.patience
        while True:
            fates = [await self._observer.fate(side.line.channel, side.chat, one) for one in ids]
            exchange.turns = len({fate.turn for fate in fates if fate.turn})
            exchange.unfinished = next((fate.waits_for for fate in fates if fate.waits_for), "")
            if all(fate.turn for fate in fates):
                exchange.handed_off = await self._observer.with_a_person(side.line.channel, side.chat)
                if exchange.handed_off:
                    exchange.unfinished = ""
                if not exchange.unfinished:
                    if exchange.turns > 1:
                        self._refuse_torn(fates)
                    return
            if self._timing.clock() > ends:
                return
            await self._timing.sleep(self._pace.look_every)

    def _refuse_torn(self, fates: Sequence[Fate]) -> None:
        """A burst that became several turns because it came in late, not because it was gathered wrongly."""
        times = [fate.received for fate in fates if fate.received]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        if max(gaps, default=0.0) > self._pace.silence * _STILL_A_BURST:
            raise Disturbed(f"{max(gaps):.1f} s passed within a burst on its way to us")

    async def _collect(self, side: _Side) -> None:
        """What has come since is an answer to what was written last."""
        news = await self._news(side)
        if side.last is not None:
            side.last.replies += news

    async def _news(self, side: _Side) -> list[str]:
        shown = [one for one in await self._phone.shown(side.line) if one.id not in side.seen]
        side.seen |= {one.id for one in shown}
        return [one.text for one in shown]


def _shown(deed: Deed) -> str:
    """A deed in words."""
    if deed.delete:
        return f"[takes message {deed.delete} back]"
    words = deed.voice if isinstance(deed.voice, str) else "cannot be made out"
    marks = [
        f"[changes message {deed.edit}]" if deed.edit else "",
        f"[presses «{deed.press}»]" if deed.press else "",
        "[photo]" if deed.photo else "",
        f"[{deed.file}]" if deed.file else "",
        f"[voice: {words}]" if deed.voice else "",
        deed.text,
    ]
    return " ".join(filter(None, marks))
