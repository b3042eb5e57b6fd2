"""The receiver of the example believes signatures only, says 2xx when it has the turn, and answers then."""

import json
from typing import Any

import httpx
import pytest

from examples.agent.hub import HubRefused, Turn
from examples.webhook_receiver.receiver import Receiver
from examples.webhook_receiver.settings import load
from orchestrator.standard_webhooks import keys_of, signed

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = 1_700_000_000
READY = {"type": "turn.ready", "timestamp": "2026-11-22T12:00:00+00:00", "data": {"turn_id": "12"}}


class Hub:
    """Has the turn 12, once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.away = False

    async def take_turn(self, agent: str, turn_id: str) -> Turn | None:
        self.asked.append((agent, turn_id))
        if self.away:
            raise HubRefused("storage_unavailable")
        return Turn(turn_id=turn_id, lease_token="12.0", channel="avito") if len(self.asked) == 1 else None


class Shop:
    """A receiver and what it answered."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.served: list[str] = []
        self.receiver = Receiver(SECRET, self.hub, self._serve, name="me", clock=lambda: NOW)

    async def _serve(self, turn: Turn) -> None:
        self.served.append(turn.turn_id)

    async def call(self, event: Any, *, at: int = NOW, body: bytes = b"") -> int:
        written = json.dumps(event).encode()
        headers = signed(keys_of(SECRET), webhook_id="n-1", timestamp=at, body=written)
        transport = httpx.ASGITransport(app=self.receiver.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as http:
            answer = await http.post("/wake", content=body or written, headers=headers)
        await self.receiver.finish()
        return answer.status_code


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_a_turn_is_taken_by_its_id_and_answered(shop: Shop) -> None:
    assert await shop.call(READY) == 204
    assert (shop.hub.asked, shop.served) == ([("me", "12")], ["12"])


async def test_a_turn_that_another_has_is_no_failure(shop: Shop) -> None:
    """The hub must not call again about it."""
    assert [await shop.call(READY), await shop.call(READY)] == [204, 204]
    assert shop.served == ["12"]


@pytest.mark.parametrize("forged", [{"at": NOW - 301}, {"body": b'{"type": "turn.ready"}'}])
async def test_who_cannot_sign_learns_nothing(shop: Shop, forged: dict[str, Any]) -> None:
    assert await shop.call(READY, **forged) == 401
    assert shop.hub.asked == []


async def test_news_of_another_kind_is_passed_over(shop: Shop) -> None:
    assert await shop.call({"type": "turn.closed"}) == 204
    assert shop.hub.asked == []


async def test_a_hub_that_fails_is_told_to_call_again(shop: Shop) -> None:
    shop.hub.away = True

    assert await shop.call(READY) == 503


@pytest.mark.parametrize("secret", ["", "word", f"{SECRET},{SECRET}"])
def test_settings_without_one_secret_do_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    monkeypatch.setenv("HUB_API_KEY", "agents-key-0123456789")
    monkeypatch.setenv("AGENT_WEBHOOK_SECRET", secret)
    with pytest.raises(SystemExit):
        load()

    assert "AGENT_WEBHOOK_SECRET: " in capsys.readouterr().err
