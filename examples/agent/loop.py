"""Wait for a turn, think, reply, again; several turns at once."""

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from examples.agent.answers import Answer, Answerer
from examples.agent.hub import HubRefused, Message, Reply, Turn

#: How often an answer is thought over because the customer wrote on; the last one is sent anyway.
ATTEMPTS = 4
LOG_LENGTH = 200
PAUSE_SECONDS = 2.0
GOODBYE_SECONDS = 5.0

log = logging.getLogger(__name__)


class TurnHub(Protocol):
    """What the loop asks of the hub (hub.py)."""

    async def wait_for_turn(self, agent: str) -> Turn | None: ...
    async def reply(self, turn: Turn, text: str, *, force: bool = False) -> Reply: ...
    async def skip_turn(self, turn: Turn, reason: str) -> None: ...
    async def extend_turn(self, turn: Turn) -> None: ...
    async def hand_off(self, turn: Turn, reason: str) -> None: ...
    async def say_before_hand_off(self, turn: Turn, text: str) -> None: ...


class Agent:
    """Answers turns with `answerer`, up to `concurrency` of them at a time."""

    def __init__(self, hub: TurnHub, answerer: Answerer, *, name: str, concurrency: int = 4) -> None:
        self._hub = hub
        self._answerer = answerer
        self._name = name
        self._free = asyncio.Semaphore(concurrency)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; turns in hand then get a few seconds, the rest go back by their lease."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as turns:
                taking = turns.create_task(self._take_turns(turns))
                await stop.wait()
                taking.cancel()
                patience.reschedule(asyncio.get_running_loop().time() + GOODBYE_SECONDS)

    async def serve(self, turn: Turn) -> None:
        """Answer a turn that was taken elsewhere, and keep it meanwhile."""
        await self._free.acquire()
        async with asyncio.TaskGroup() as tasks:
            await self._serve(turn, tasks)

    async def _take_turns(self, turns: asyncio.TaskGroup) -> None:
        while True:
            await self._free.acquire()
            turn = await self._next_turn()
            turns.create_task(self._serve(turn, turns))

    async def _next_turn(self) -> Turn:
        while True:
            try:
                turn = await self._hub.wait_for_turn(self._name)
            except HubRefused as refused:
                log.warning("hub refused · %s", refused)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if turn is not None:
                return turn

    async def _serve(self, turn: Turn, tasks: asyncio.TaskGroup) -> None:
        log.info("turn %s", _seen(turn))
        extending = tasks.create_task(self._keep_extending(turn))
        try:
            await self._answer(turn)
        except HubRefused as refused:
            log.warning("turn %s dropped · %s", turn.turn_id, refused)
        except Exception:  # one turn must not stop the others; its lease ends and it is offered again
            log.exception("turn %s failed", turn.turn_id)
        finally:
            extending.cancel()
            self._free.release()

    async def _answer(self, turn: Turn) -> None:
        if not turn.can_reply:
            await self._skip(turn, f"no way back on {turn.channel}; a person calls {turn.client_phone}")
            return
        for attempt in range(1, ATTEMPTS + 1):
            answer = await self._answerer.answer(turn)
            if answer.hand_off:
                await self._hand_off(turn, answer)
                return
            if not answer.text:
                await self._skip(turn, "nothing to say")
                return
            reply = await self._hub.reply(turn, answer.text, force=attempt == ATTEMPTS)
            if reply.status != "superseded":
                log.info("reply %s · %s · %s", turn.turn_id, reply.status, quoted(answer.text))
                return
            turn = _with_new(turn, reply)
            log.info("turn %s (the customer wrote on)", _seen(turn))

    async def _hand_off(self, turn: Turn, answer: Answer) -> None:
        """The customer hears that a person comes; if that cannot be said, the person comes all the same."""
        if answer.text:
            try:
                await self._hub.say_before_hand_off(turn, answer.text)
            except HubRefused as refused:
                log.warning("turn %s · not told of the hand-off · %s", turn.turn_id, refused)
        await self._hub.hand_off(turn, answer.hand_off)
        log.info("hand-off %s · %s · %s", turn.turn_id, quoted(answer.hand_off), quoted(answer.text))

    async def _skip(self, turn: Turn, reason: str) -> None:
        await self._hub.skip_turn(turn, reason)
        log.info("skip %s · %s", turn.turn_id, reason)

    async def _keep_extending(self, turn: Turn) -> None:
        """Keep the lease while a slow model thinks."""
        while turn.lease_seconds > 0:
            await asyncio.sleep(turn.lease_seconds / 3)
            try:
                await self._hub.extend_turn(turn)
            except HubRefused:
                return  # the reply will be told the same


def quoted(text: str) -> str:
    """One line for the log, cut; no line breaks or control characters of a stranger get into it."""
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    return f"«{line}»" if len(line) <= LOG_LENGTH else f"«{line[: LOG_LENGTH - 1]}…»"


def _seen(turn: Turn) -> str:
    count = len(turn.messages)
    words = " | ".join(quoted(_shown(message)) for message in turn.messages)
    name = quoted(turn.client_name_untrusted).strip("«»") or "?"
    return f"{turn.turn_id} · {turn.channel} · {name} · {count} message{'s' * (count != 1)}: {words}"


def _shown(message: Message) -> str:
    extras = ["photo"] * len(message.image_urls)
    extras += ["voice"] * bool(message.voice_url or message.voice_transcript_untrusted)
    extras += ["video"] * message.has_video + ["document"] * message.has_document
    marks = "".join(f"[{extra}] " for extra in extras)
    return f"{marks}{message.text_untrusted or message.voice_transcript_untrusted}".strip()


def _with_new(turn: Turn, reply: Reply) -> Turn:
    known = {message.message_id for message in turn.messages}
    new = [message for message in reply.new_messages if message.message_id not in known]
    token = reply.lease_token or turn.lease_token
    return turn.model_copy(update={"messages": [*turn.messages, *new], "lease_token": token})
