"""Agents that answer every turn with the tokens that it has; some die with a turn in their hands."""

import asyncio
import contextlib
import random
from typing import Any

import httpx

from tests.system import System

#: One turn in so many is dropped without a word: its lease ends, and another agent gets it.
_DIES_ONCE_IN = 50
_TRIES = 20


class Agent:
    """Works over the hub's REST; a hub that is away is asked again."""

    def __init__(self, system: System, http: httpx.AsyncClient, seed: int) -> None:
        self._url = system.url("orchestrator")
        self._http = http
        self._drawn = random.Random(seed)  # noqa: S311  # a storm that can be repeated
        self._headers = {"X-API-Key": system.keys["agent"]}
        self.answered = 0

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._answer_one()
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(0.2)

    async def _answer_one(self) -> None:
        turn = await self._call("/api/turns/wait", {"wait_seconds": 2})
        if turn["status"] == "none" or self._drawn.randrange(_DIES_ONCE_IN) == 0:
            return
        path, token = f"/api/turns/{turn['turn_id']}", turn["lease_token"]
        quoted = [message["text_untrusted"] for message in turn["messages"]]
        for _ in range(_TRIES):
            said = {"lease_token": token}
            if turn["channel"] == "form":
                answer = await self._call(f"{path}/skip", said | {"reason": "answered by telephone"})
            else:
                answer = await self._call(f"{path}/reply", said | {"text": "re: " + " ".join(quoted)})
            if answer["status"] != "superseded":
                self.answered += answer["status"] in ("queued", "closed")
                return
            quoted += [message["text_untrusted"] for message in answer["new_messages"]]
            token = answer["lease_token"]

    async def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(self._url + path, json=body, headers=self._headers)
        told: dict[str, Any] = answer.raise_for_status().json()
        return told


async def working(system: System, http: httpx.AsyncClient, *, count: int, seed: int) -> None:
    """So many agents until cancelled."""
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(Agent(system, http, seed + number).work())
