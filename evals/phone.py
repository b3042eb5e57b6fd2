"""The customers' phones: what they do and see on the simulated messengers, by the sandbox's control API."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from evals.ear import recording
from evals.scenario import Deed

#: How a messenger's simulation is told which message an edit means.
_EDITED_IN = {"vk": "message", "max": "message", "instagram": "mid"}
#: Buttons that a shop's page has before anybody wrote.
_FIRST_BUTTON = {"vk": "button", "instagram": "postback"}


@dataclass(frozen=True, slots=True)
class Line:
    """Something to be written: who, on which messenger, under which ad ("" the first)."""

    channel: str
    customer: str
    ad: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Where something was written, and the ids of the messages it made."""

    chat: str
    ids: list[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of ours that a customer sees."""

    id: str
    text: str
    buttons: dict[str, dict[str, Any]]


class Phone:
    """Raises httpx.HTTPStatusError where the sandbox refuses, such as a type that a messenger lacks."""

    def __init__(self, http: httpx.AsyncClient, sandbox_url: str) -> None:
        self._http = http
        self._url = f"{sandbox_url}/control"
        self._ads: dict[str, int] = {}

    async def do(self, line: Line, deed: Deed, target: str) -> Written:
        """Carry a deed out; `target` is the message that it changes."""
        if deed.delete:
            await self._ask("DELETE", f"{line.channel}/messages/{quote(target, safe='')}")
            return Written("", [])
        return await self._write(line, await self._letter(line, deed, target))

    async def say_as_operator(self, channel: str, chat: str, text: str) -> None:
        """The shop's person writes in the messenger's app."""
        await self._ask("POST", f"{channel}/operator/messages", {"chat": chat, "text": text})

    async def shown(self, line: Line) -> list[Shown]:
        """What the customer sees of ours, oldest first, without what the shop's person wrote."""
        told = await self._ask("GET", f"{line.channel}/customers/{quote(line.customer)}/messages")
        ours = [one for one in told["messages"] if one["direction"] == "out" and one["via"] != "operator"]
        return [Shown(str(one["id"]), one["text"], _buttons(one)) for one in ours]

    async def _letter(self, line: Line, deed: Deed, target: str) -> dict[str, Any]:
        if deed.edit:
            named = _EDITED_IN.get(line.channel)
            where = {"content": {named: target}} if named else {"quote": target}
            return {"type": "edit", "text": deed.text, **where}
        if deed.press:
            return await self._press(line, deed.press)
        letter: dict[str, Any] = {"text": deed.text} if deed.text else {}
        if deed.photo:
            letter["image"] = True
        if deed.voice:
            letter["voice"] = recording("" if deed.voice is True else deed.voice)
        if deed.file:
            letter["type"] = deed.file
        return letter

    async def _press(self, line: Line, label: str) -> dict[str, Any]:
        """A button that we sent, else one of the shop's page."""
        for message in reversed(await self.shown(line)):
            if letter := message.buttons.get(label):
                return letter
        kind = _FIRST_BUTTON.get(line.channel)
        if kind is None:
            raise LookupError(f"{line.channel}: no message of the shop has a button {label!r}")
        content = {"content": {"payload": '{"eval":1}'}} if kind == "button" else {}
        return {"type": kind, "text": label, **content}

    async def _write(self, line: Line, letter: dict[str, Any]) -> Written:
        if line.ad:
            letter = letter | {"ad": await self._ad(line)}
        path = f"{line.channel}/customers/{quote(line.customer)}/messages"
        told = await self._ask("POST", path, letter)
        return Written(told["chat_id"], [str(one) for one in told["message_ids"]])

    async def _ad(self, line: Line) -> int:
        if not self._ads:
            channels = (await self._ask("GET", "channels"))["channels"]
            topics = next(one["topics"] for one in channels if one["name"] == line.channel)
            self._ads = {topic["title"]: topic["id"] for topic in topics}
        found = [number for title, number in self._ads.items() if line.ad.casefold() in title.casefold()]
        if not found:
            raise LookupError(f"no ad has {line.ad!r} in its title; there are {', '.join(self._ads)}")
        return found[0]

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._http.request(method, f"{self._url}/{path}", json=body)
        if answer.is_client_error:
            raise LookupError(f"the sandbox refuses {path}: {answer.text}")
        return answer.raise_for_status().json()


def _buttons(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    every = [button for row in message.get("buttons") or [] for button in row]
    return {button["text"]: button["press"] for button in every if button["press"]}
