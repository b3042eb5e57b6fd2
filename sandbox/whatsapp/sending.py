"""Sending: at once (contract §3.2) and through the queue (§3.3)."""

import random
from collections import defaultdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.timing import Timing
from sandbox.whatsapp.account import Account
from sandbox.whatsapp.drafts import Draft, Drafts
from sandbox.whatsapp.errors import done, fail, fail_in_html
from sandbox.whatsapp.exchange import Exchange, Origin, new_task_id
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.gate import Endpoint, Gate, Needs
from sandbox.whatsapp.postman import Postman
from sandbox.whatsapp.profile import Message, Profile
from sandbox.whatsapp.queries import needed, number
from sandbox.whatsapp.tasks import Ledger, Task, history_row, response, task_view, waiting_view


class Outbox:
    """The tasks of every profile, and the hand that carries them out."""

    def __init__(self, account: Account, exchange: Exchange, postman: Postman) -> None:
        self._account = account
        self._exchange = exchange
        self._postman = postman
        self.ledgers: defaultdict[str, Ledger] = defaultdict(Ledger)

    def forget(self) -> None:
        self.ledgers.clear()

    def enter(self, profile: Profile, draft: Draft, bot_id: str, pauses: tuple[float, float]) -> Task:
        now, ledger = self._account.now(), self.ledgers[profile.id]
        task = Task(new_task_id(), profile.id, draft, bot_id, now, pauses)
        task.is_first = not (profile.chats.get(draft.chat_id) and profile.chats[draft.chat_id].messages)
        ledger.tasks[task.id] = task
        return task

    def carry_out(self, profile: Profile, task: Task) -> Message:
        chat = self._account.chat_with(profile, task.draft.chat_id)
        origin = Origin("api", task.id, task.bot_id)
        message = self._exchange.send(profile, chat, task.draft.content, origin)
        task.response = response(task, self._account.now(), message_id=message.id)
        return message

    def queue(self, profile: Profile, task: Task) -> None:
        """A random pause after the one before it (default 1 to 3 s)."""
        ledger, now = self.ledgers[profile.id], self._account.now()
        ledger.free_at = max(ledger.free_at, now) + random.uniform(*task.pauses)  # noqa: S311  # no secret
        self._postman.later(ledger.free_at - now, lambda: self._due(profile, task))

    def _due(self, profile: Profile, task: Task) -> None:
        if self.ledgers[profile.id].tasks.get(task.id) is not task or task.response is not None:
            return
        if profile.live and not task.draft.hangs:
            self.carry_out(profile, task)
        else:
            task.response = response(task, self._account.now(), detail=f"{task.draft.command} error")


class Sending:
    def __init__(
        self, drafts: Drafts, outbox: Outbox, switches: Switchboard[WhatsAppFaults], timing: Timing
    ) -> None:
        self._drafts = drafts
        self._outbox = outbox
        self._switches = switches
        self._timing = timing

    def routes(self, gate: Gate) -> list[Route]:
        paths = [*self._drafts.makers, "message/file/send"]
        return [
            *(gate.post(f"/api/sync/{path}", self._now(path, gate)) for path in paths),
            *(gate.post(f"/api/async/{path}", self._later(path)) for path in paths),
            gate.post("/api/sync/message/buttons/send", _out_of_order),
            gate.post("/api/sync/message/list/send", _out_of_order),
            gate.get("/api/task/get", self._task, Needs.PROFILE),
            gate.get("/api/tasks/get", self._tasks, Needs.PROFILE),
            gate.get("/api/profile/queue/get", self._waiting, Needs.PROFILE),
            gate.get("/api/profile/queue/purge", self._purge, Needs.PROFILE),
            gate.get("/api/sync/messages/history", self._history, Needs.PROFILE),
        ]

    def _now(self, path: str, gate: Gate) -> Endpoint:
        async def send(profile: Profile, request: Request) -> Response:
            draft = await self._drafts.make(path, profile, request)
            if draft.hangs:
                await gate.hang()
            bot_id = request.query_params.get("bot_id", "")
            task = self._outbox.enter(profile, draft, bot_id, (0, 0))
            message = self._outbox.carry_out(profile, task)
            await self.maybe_lose_the_answer()
            return done(self._timing.now(), message_id=message.id, task_id=task.id)

        return send

    def _later(self, path: str) -> Endpoint:
        async def send(profile: Profile, request: Request) -> Response:
            low, high = number(request, "timeout_from", 1), number(request, "timeout_to", 3)
            if low > high:
                fail("timeout_from must not be more than timeout_to")
            draft = await self._drafts.make(path, profile, request)
            task = self._outbox.enter(profile, draft, request.query_params.get("bot_id", ""), (low, high))
            self._outbox.queue(profile, task)
            await self.maybe_lose_the_answer()
            return done(self._timing.now(), detail="Message sent to queue", task_id=task.id)

        return send

    async def maybe_lose_the_answer(self) -> None:
        """The message is out; the answer may be late, or lost on the way."""
        if self._switches.now.late_answer:
            await self._timing.sleep(self._switches.now.late_answer)
        if self._switches.spend_drop():
            fail_in_html(502, "Bad Gateway")

    async def _task(self, profile: Profile, request: Request) -> Response:
        task = self._outbox.ledgers[profile.id].tasks.get(needed(request, "task_id"))
        if task is None:
            fail("task not found")
        return JSONResponse({"status": "done", "task": task_view(task)})

    async def _tasks(self, profile: Profile, _: Request) -> Response:
        tasks = self._outbox.ledgers[profile.id].tasks.values()
        return done(self._timing.now(), tasks=[task_view(task) for task in tasks])

    async def _waiting(self, profile: Profile, _: Request) -> Response:
        waiting = self._outbox.ledgers[profile.id].waiting
        return done(self._timing.now(), tasks=[waiting_view(task) for task in waiting])

    async def _purge(self, profile: Profile, _: Request) -> Response:
        ledger = self._outbox.ledgers[profile.id]
        for task in ledger.waiting:
            del ledger.tasks[task.id]
        ledger.free_at = 0
        return done(self._timing.now(), detail="queue was purged")

    async def _history(self, profile: Profile, request: Request) -> Response:
        """Newest first, as the other lists."""
        limit, offset = number(request, "limit", 200), number(request, "offset", 0)
        sent = [task for task in self._outbox.ledgers[profile.id].tasks.values() if task.response]
        rows = [history_row(task) for task in sent[::-1][offset : offset + limit]]
        return done(self._timing.now(), detail=rows, all_messages_count=len(sent))


async def _out_of_order(_: Profile, __: Request) -> Response:
    """Documented as temporarily not working."""
    fail("temporarily not working")
