"""What became of customers' messages, as an operator sees it at the hub."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

#: The simulated WhatsApp adds it to the number by which the hub knows a chat.
_WHATSAPP_MARK = "@c.us"


@dataclass(frozen=True, slots=True)
class Fate:
    """`turn` is "" while a message is in none; `waits_for` is "" when nothing is left to be done."""

    turn: str = ""
    waits_for: str = "nothing is known of the message yet"
    received: float = 0.0


class Observer:
    """Asks the hub with an operator's key."""

    def __init__(self, http: httpx.AsyncClient, hub_url: str, key: str) -> None:
        self._http = http
        self._url = hub_url
        self._headers = {"X-API-Key": key}

    async def fate(self, channel: str, chat: str, message_id: str) -> Fate:
        """Where a message is."""
        asked = {"channel": channel, "chat_id": _hub_chat(channel, chat), "message_id": message_id}
        answer = await self._http.get(f"{self._url}/api/trace", params=asked, headers=self._headers)
        if answer.status_code == 404:
            return Fate()
        told: dict[str, Any] = answer.raise_for_status().json()
        received = [stage["at"] for stage in told["stages"] if stage["stage"] == "received"]
        return Fate(
            told["turn_id"],
            " ".join(told["now"]) or ("" if told["turn_id"] else "it is in no turn yet"),
            datetime.fromisoformat(received[0]).timestamp() if received else 0.0,
        )

    async def with_a_person(self, channel: str, chat: str) -> bool:
        """Whether the AI is silent there."""
        answer = await self._http.get(f"{self._url}/api/conversations/paused", headers=self._headers)
        paused = answer.raise_for_status().json()["conversations"]
        wanted = (channel, _hub_chat(channel, chat))
        return any((one["channel"], one["chat_id"]) == wanted for one in paused)


def _hub_chat(channel: str, chat: str) -> str:
    return chat.removesuffix(_WHATSAPP_MARK) if channel == "whatsapp" else chat
