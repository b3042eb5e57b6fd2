"""An agent in a thread that answers every turn with the words it was asked, so that all can be counted."""

import threading
from typing import Any

import httpx

from tests.system import System, patiently


class AnsweringAgent:
    """Answers each turn with "re: text | text" over the hub's REST; survives a hub that is away."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "AnsweringAgent":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        with httpx.Client(timeout=10, headers={"X-API-Key": self._system.keys["agent"]}) as http:
            while not self._stop.is_set():
                try:
                    self._answer_one(http)
                except (httpx.HTTPError, ValueError):
                    self._stop.wait(0.1)

    def _answer_one(self, http: httpx.Client) -> None:
        turn = self._call(http, "/api/turns/wait", {"wait_seconds": 1})
        if turn["status"] == "none":
            return
        texts = [message["text_untrusted"] for message in turn["messages"]]
        token = turn["lease_token"]
        for _ in range(10):
            body = {"lease_token": token, "text": "re: " + " | ".join(texts)}
            answer = self._call(http, f"/api/turns/{turn['turn_id']}/reply", body)
            if answer["status"] != "superseded":
                return
            texts += [message["text_untrusted"] for message in answer["new_messages"]]
            token = answer["lease_token"]

    def _call(self, http: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = (
            http.post(self._system.url("orchestrator") + path, json=body).raise_for_status().json()
        )
        return answer


def answered(system: System, customers: list[str], expected: set[str], *, seconds: float) -> list[str]:
    """Every text that our replies quote, once all of `expected` are among them; "" stands for no quote."""
    quoted: list[str] = []
    for _ in patiently(seconds, every=0.5):
        quoted = [text for customer in customers for text in _quoted(system, customer)]
        if expected <= set(quoted):
            return quoted
    missing = sorted(expected - set(quoted))
    raise AssertionError(f"{len(missing)} messages were not answered: {missing[:10]}")


def _quoted(system: System, customer: str) -> list[str]:
    replies = [message["text"] for message in system.seen_by(customer)]
    return [text for reply in replies for text in reply.removeprefix("re: ").split(" | ")]
