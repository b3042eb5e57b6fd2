"""The courier of this vendor: the callback is verified first; pushes can be held and sent again."""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import httpx

from sandbox.courier import Courier, Judge, Policy, Push
from sandbox.faults import Faults
from sandbox.instagram.events import encoded
from sandbox.timing import Timing

REMEMBERED = 2000


@dataclass(slots=True)
class Callback:
    """The app's callback as the dashboard has it; it counts after its GET was answered well (§13.2)."""

    url: str
    verify_token: str
    verified: bool = False


class Patience(Judge):
    """Dropped after 36 hours (§13.4)."""

    def __init__(self, timing: Timing, life: float) -> None:
        self._timing = timing
        self._life = life
        self._since: dict[str, float] = {}

    def wants(self, push: Push) -> bool:
        return self._timing.now() - self._since.setdefault(push.id, self._timing.now()) < self._life

    def takes(self, push: Push, answer: httpx.Response | None) -> bool:
        """200 and nothing else; the body does not matter."""
        taken = answer is not None and answer.status_code == 200
        if taken:
            self._since.pop(push.id, None)
        return taken


class Postman(Courier):
    """`held` collects pushes while it is a list; the ones of the last days can be sent again."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        timing: Timing,
        policy: Policy,
        faults: Callable[[], Faults],
        *,
        life: float,
        sign: Callable[[bytes], dict[str, str]],
    ) -> None:
        super().__init__(http, timing, policy, faults, Patience(timing, life))
        self._client = http
        self._deadline = policy.timeout
        self._sign = sign
        self._gate: asyncio.Queue[Push] = asyncio.Queue()
        self.callback = Callback("", "")
        self.held: list[Push] | None = None
        self.sent: dict[str, Push] = {}

    def send(self, push: Push) -> None:
        self.sent[push.id] = push
        if len(self.sent) > REMEMBERED:
            del self.sent[next(iter(self.sent))]
        if self.held is not None:
            self.held.append(push)
        else:
            self._gate.put_nowait(push)

    def again(self, push_id: str) -> bool:
        """Deliver a push once more, byte for byte; whether it is known."""
        push = self.sent.get(push_id)
        if push:
            self._gate.put_nowait(push)
        return push is not None

    def release(self, order: Literal["sent", "reverse"] | list[str], *, in_one: bool) -> int:
        """Let the held pushes go, those named by `order` first or alone; `in_one` puts them into one POST."""
        held, self.held = self.held or [], None
        if order == "reverse":
            held.reverse()
        elif isinstance(order, list):
            first = [push for push_id in order for push in held if push.id == push_id]
            held = first + [push for push in held if push not in first]
        for push in self._batched(held) if in_one and held else held:
            self._gate.put_nowait(push)
        return len(held)

    def _batched(self, pushes: list[Push]) -> list[Push]:
        """Several entries, one body, one signature (§13.4)."""
        entries = [entry for push in pushes for entry in json.loads(push.body)["entry"]]
        body = encoded({"object": "instagram", "entry": entries})
        made = replace(
            pushes[0], id=f"ig-{secrets.token_hex(8)}", type="batch", body=body, headers=self._sign(body)
        )
        self.sent[made.id] = made
        return [made]

    async def verify(self) -> bool:
        """Ask the callback the GET question: 200 and the bare challenge (§13.2)."""
        callback, challenge = self.callback, str(secrets.randbelow(9 * 10**9) + 10**9)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": callback.verify_token,
        }
        try:
            async with asyncio.timeout(self._deadline):
                url = httpx.URL(callback.url).copy_merge_params(query)
                answer = await self._client.get(url, timeout=self._deadline)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            return False
        callback.verified = answer.status_code == 200 and answer.text.strip() == challenge
        return callback.verified

    def forget(self) -> None:
        super().forget()
        while not self._gate.empty():
            self._gate.get_nowait()
        self.held = None
        self.sent.clear()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            while True:
                push = await self._gate.get()
                if self.callback.verified or await self.verify():
                    super().send(push)
                else:
                    self._note(push, 0, None, "the callback did not pass its verification")
