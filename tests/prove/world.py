"""Messengers, the servers of their channels, two orchestrators, and what may befall them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
from redis.exceptions import RedisError

from core.chats import member_name
from core.errors import ChannelError, StorageDown
from core.keys import Keys
from tests.prove.agents import Agents, Answer, Hand
from tests.prove.channel_process import ChannelProcess
from tests.prove.fuse import Cut, Fuse, Killed
from tests.prove.hub_process import SETTINGS, HubProcess
from tests.prove.messenger import HOUSES, House, Messenger, Place, messenger
from tests.prove.oracle import Event, Oracle
from tests.prove.pause_watch import look, nobody_spoke_up, paused_places
from tests.prove.stage import Stage

T = TypeVar("T")
Work = Callable[[HubProcess], Awaitable[object]]

#: What a caller sees of a process whose line broke; it asks again, or does not.
BROKEN = (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ChannelError)
#: Longer than every lease and every pause between two attempts.
LONG = SETTINGS.batch_lease_seconds + 1.0


class World:
    """One example. Each move may be cut; who is killed comes back before the next move."""

    def __init__(self, stage: Stage, *, collects: bool = False) -> None:
        self.stage = stage
        self.collects = collects
        self.oracle = Oracle()
        self.agents = Agents()
        self.messengers: dict[House, Messenger] = {house: messenger(house, stage.clock) for house in HOUSES}
        self._channels: dict[House, ChannelProcess] = {}
        self._hubs: dict[int, HubProcess] = {}

    # --- processes --------------------------------------------------------------------------------------

    async def channel(self, house: House) -> ChannelProcess:
        """The server of an account, started when it does not run."""
        process = self._channels.get(house) or self.stage.idle.pop(house, None)
        if process is None or not process.alive:
            if process is not None:
                await process.end()
            stage = self.stage
            spool = process.spool if process is not None else stage.new_spool()
            process = ChannelProcess(stage.redis, stage.clock, spool, stage.log)
            await process.start()
        if house not in self._channels or self._channels[house] is not process:
            process.serve(self.messengers[house])
        self._channels[house] = process
        return process

    async def _found(self, house: House) -> ChannelProcess:
        """As an orchestrator finds it: started at need, but dead until the next move when it was killed."""
        return self._channels.get(house) or await self.channel(house)

    def hub(self, number: int) -> HubProcess:
        """One of the orchestrators, started when it does not run."""
        process = self._hubs.get(number)
        if process is None or process.fuse.blown:
            process = HubProcess(self.stage, self._found, collects=self.collects)
            self._hubs[number] = process
        return process

    async def revive(self) -> None:
        """Every server that was killed is started again."""
        for house, process in list(self._channels.items()):
            if not process.alive:
                await self.channel(house)
            await (await self.channel(house)).drain()
            self._note_drained()

    async def end(self) -> None:
        """All processes end."""
        for house, process in self._channels.items():
            if process.alive and not process.inbox.waiting:
                self.stage.idle[house] = process
            else:
                await process.end()

    # --- what messengers do -----------------------------------------------------------------------------

    async def deliver(self, events: Sequence[Event], cut: Cut | None = None) -> None:
        """Webhooks, one after the other; what is not answered 200 will be delivered again."""
        for event in events:
            process = await self.channel(event.place[:2])
            process.fuse.arm(cut)
            try:
                [stored] = await process.receive([event.arrival])
                self.oracle.accept(event, spooled=stored == "spooled")
                await process.drain()
            except (Killed, StorageDown):
                pass
            cut = cut if process.fuse.armed else None
            process.fuse.arm(None)
            self._note_drained()

    def posted(self) -> list[tuple[Place, str]]:
        """What customers see of us, by place and the messenger's id."""
        return [
            ((*house, posted.chat_id), posted.message_id)
            for house, one in self.messengers.items()
            for posted in one.taken
        ]

    async def redis_is_back(self, house: House, cut: Cut | None) -> None:
        """The spools empty themselves; one channel may die over it."""
        process = self._channels.get(house)
        if process is not None and process.alive:
            process.fuse.arm(cut)
        self.stage.redis.come_back()
        with suppress(Killed):
            await self.revive()
        for one in self._channels.values():
            one.fuse.arm(None)

    async def deliver_echo(self, house: House, cut: Cut | None = None) -> None:
        """The oldest of our own messages comes back."""
        echoes = self.messengers[house].echoes
        if not echoes:
            return
        process = await self.channel(house)
        process.fuse.arm(cut)
        try:
            await process.receive([echoes[0]])
            await process.drain()
            echoes.popleft()
        except (Killed, StorageDown):
            pass
        process.fuse.arm(None)
        self._note_drained()

    def _note_drained(self) -> None:
        self.oracle.unspool(
            {house for house, one in self._channels.items() if one.alive and not one.inbox.waiting}
        )

    # --- what orchestrators do --------------------------------------------------------------------------

    async def do(self, number: int, work: Callable[[HubProcess], Awaitable[T]], cut: Cut | None) -> T | None:
        """Some work of one orchestrator; None when it broke off."""
        for house in self._channels:
            await self.channel(house)
        process = self.hub(number)
        process.fuse.arm(cut, lambda: self._others_take_over(1 - number))
        try:
            return await _or_death(work(process), process.fuse)
        except (Killed, *BROKEN):
            return None
        finally:
            process.fuse.arm(None)

    async def both(self, work: Work) -> None:
        """Both orchestrators do it at the same time."""
        await asyncio.gather(self.do(0, work, None), self.do(1, work, None))

    async def work(self, number: int, work: Work, cut: Cut | None) -> None:
        """Some work that may send; the AI must say nothing in a conversation that a person has."""
        before = await look(self.stage, self.messengers)
        await self.do(number, work, cut)
        await nobody_spoke_up(before, self.stage, self.messengers)

    async def send_with(
        self, number: int, house: House, cuts: tuple[Cut | None, Cut | None], work: Work
    ) -> None:
        """Let an orchestrator send, while the server of one channel may die too."""
        hub_cut, channel_cut = cuts
        process = await self.channel(house)
        process.fuse.arm(channel_cut)
        await self.work(number, work, hub_cut)
        if process.alive:
            process.fuse.arm(None)

    async def _others_take_over(self, number: int) -> None:
        """One orchestrator is stalled for longer than its leases; another does all that is due."""
        await self.stage.pass_time(LONG)
        for _ in range(2):
            await self.do(number, lambda hub: hub.work(), None)

    # --- what agents do ---------------------------------------------------------------------------------

    async def take_turn(self, number: int, cut: Cut | None = None) -> Hand | None:
        """An agent asks for a turn; when the answer is lost it knows of none."""
        turn = await self.do(
            number, lambda hub: hub.ask("wait_for_turn", wait_seconds=0, agent=f"agent-{number}"), cut
        )
        return self.agents.offered(turn) if turn and turn["status"] == "turn" else None

    async def finish(self, number: int, answer: Answer, cut: Cut | None = None) -> None:
        """An agent finishes a turn, perhaps not for the first time."""
        must_have_seen, paused = await self._must_have_seen(answer), await paused_places(self.stage)
        name, given = answer.operation
        told = await self.do(number, lambda hub: hub.ask(name, **given), cut)
        if told is None:
            return
        repeated = answer.outcome != ""
        self.agents.heard(answer, told)
        self.oracle.promise(answer.hand.place, answer.words, told)
        if told["status"] == "queued" and not repeated:
            held = paused & await paused_places(self.stage)
            assert answer.hand.place not in held, f"paused: {answer.words!r} was accepted"
        if told["status"] == "queued" and not answer.force and not repeated:
            unseen = must_have_seen - answer.quoted - await self._answered_before(answer)
            assert not unseen, f"fresh-reply: {answer.words!r} has not seen {sorted(unseen)}"

    async def keep_or_return(self, number: int, hand: Hand, operation: str, cut: Cut | None) -> None:
        """An agent extends its lease, or gives the turn back."""
        given = {"turn_id": str(hand.turn_id), "lease_token": hand.token}
        told = await self.do(number, lambda hub: hub.ask(operation, **given), cut)
        if told is not None and told["status"] != "extended" and hand in self.agents.hands:
            self.agents.hands.remove(hand)

    async def hand_off(self, number: int, hand: Hand, cut: Cut | None) -> None:
        """An agent gives its turn to a person."""
        given = {"turn_id": str(hand.turn_id), "lease_token": hand.token, "reason": "a person is wanted"}
        self.oracle.taken_over.add(hand.place)
        told = await self.do(number, lambda hub: hub.ask("hand_off", **given), cut)
        if told is not None and hand in self.agents.hands:
            self.agents.hands.remove(hand)

    async def operator_does(self, number: int, place: Place, deed: str, cut: Cut | None) -> None:
        """An operator takes the conversation over, gives it back, or writes there through the hub."""
        channel, account, chat = place
        given = {"channel": channel, "account": account, "chat_id": chat}
        if deed == "send_message":
            given |= {"text": self.oracle.new_words("o", place), "sender": "operator"}
        if deed != "resume":
            self.oracle.taken_over.add(place)
        told = await self.do(number, lambda hub: hub.order(deed, **given), cut)
        self.oracle.promise(place, given.get("text", ""), told)

    async def schedule(self, number: int, place: Place, seconds: int, cut: Cut | None) -> None:
        """A message that is to go later."""
        channel, account, chat = place
        at = datetime.fromtimestamp(self.stage.clock.now_ms() / 1000 + seconds, UTC).isoformat()
        given = {"channel": channel, "account": account, "chat_id": chat, "send_at": at}
        words = self.oracle.new_words("s", place)
        told = await self.do(number, lambda hub: hub.ask("send_message", text=words, **given), cut)
        self.oracle.promise(place, words, told)

    async def write_first(self, number: int, place: Place, key: int, cut: Cut | None) -> None:
        """A message outside a turn; a key stands for the same words however often it is used."""
        channel, account, chat = place
        words, name = f"t{key} to {' '.join(place)}", f"{key} {chat}"
        given = {"channel": channel, "account": account, "chat_id": chat, "text": words}
        told = await self.do(number, lambda hub: hub.ask("send_message", **given, idempotency_key=name), cut)
        self.oracle.promise(place, words, told)

    async def push_outgoing(self, place: Place, key: int, times: int) -> None:
        """A producer that knows the first contract only, and an idempotency key."""
        channel, account, chat = place
        words = f"l{key} to {' '.join(place)}"
        message = {"channel": channel, "account": account, "external_chat_id": chat, "text": words}
        raw = json.dumps(message | {"idempotency_key": f"list {key} {chat}"})
        await self.stage.redis.client.rpush("queue:outgoing", *[raw] * times)
        self.oracle.listed += [(place, words)] * times

    async def _must_have_seen(self, answer: Answer) -> set[str]:
        place = answer.hand.place
        lock: bytes | None = await self.stage.redis.client.get(Keys().incoming.lock + member_name(*place))  # type: ignore[assignment]  # bytes here, the stub leaves both open
        if answer.silent or self.collects or (lock and not lock.startswith(b"-")):
            # What is said while nobody needs to answer makes the next turn, and so does all that is said
            # meanwhile where the policy is to collect. A worker that has the chat, or died over it, is waited
            # for, but not for ever.
            return set()
        return self.oracle.open_questions(place)

    async def _answered_before(self, answer: Answer) -> set[str]:
        rows = await self.stage.pool.fetch(
            "SELECT external_message_id FROM messages_history JOIN turns ON turns.id = turn_id"
            " WHERE turn_id <> $1 AND status IN ('answered', 'closed', 'handled')",
            answer.hand.turn_id,
        )
        return {row["external_message_id"] for row in rows}


async def _or_death(work: Awaitable[T], fuse: Fuse) -> T:
    """Its result; Killed when the process dies, also when that happened in a task of its own."""
    task, death = asyncio.ensure_future(work), asyncio.ensure_future(fuse.dead.wait())
    try:
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        if not fuse.blown:
            return await task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise Killed
    finally:
        death.cancel()
