"""The channels' servers as the orchestrator meets them: they carry plain text, and note what was given."""

import json

import httpx

_ABLE = {"capabilities": {"parts": []}, "accounts": {"default": {}}}


class Messengers:
    """`sent` [(channel, chat, text)]: what customers would see of us."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    def urls(self, *channels: str) -> dict[str, str]:
        """An address for each."""
        return {channel: f"http://{channel}.test" for channel in channels}

    def client(self) -> httpx.AsyncClient:
        """What reaches them, and nothing else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            return httpx.Response(200, json=_ABLE)
        if request.url.path != "/api/messages/send":
            return httpx.Response(404, json={"code": "not_found", "detail": "There is no such thing here."})
        given = json.loads(request.content)
        channel = request.url.host.removesuffix(".test")
        self.sent.append((channel, given["chat_id"], given["text"]))
        return httpx.Response(200, json={"message_ids": [f"ours-{len(self.sent)}"]})
