"""Subscriptions (contract §3.8) and the push of every message to each of them (§4, §6)."""

import hmac
import json
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.avito.errors import body_of, fail, invalid
from sandbox.avito.gate import Gate
from sandbox.avito.shop import Chat, Message, Shop
from sandbox.avito.views import push_view
from sandbox.courier import Courier, Push


class Webhooks:
    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._urls: list[str] = []
        self._nobodys_key = secrets.token_bytes(32)

    def routes(self, gate: Gate) -> list[Route]:
        calls = {
            "/messenger/v3/webhook": self._subscribe,
            "/messenger/v1/subscriptions": self._list,
            "/messenger/v1/webhook/unsubscribe": self._unsubscribe,
        }
        return [Route(path, gate.guard(call), methods=["POST"]) for path, call in calls.items()]

    def push(self, shop: Shop, chat: Chat, message: Message) -> None:
        """Hand one push per subscription to the courier; a duplicate or a retry keeps the envelope's id."""
        for url in self._urls:
            push_id = f"wh-{secrets.token_hex(8)}"
            body = json.dumps(push_view(shop, chat, message, push_id=push_id), ensure_ascii=False).encode()
            headers = {
                "content-type": "application/json",
                "x-avito-messenger-signature": hmac.new(self._nobodys_key, body, sha256).hexdigest(),
            }
            self._courier.send(Push(push_id, url, chat.id, message.id, message.type, body, headers))

    def forget(self) -> None:
        self._urls.clear()

    async def _subscribe(self, request: Request) -> Response:
        url = await _url_in(request)
        if url not in self._urls:
            self._urls.append(url)
        return JSONResponse({"ok": True})

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"subscriptions": [{"url": url, "version": "3"} for url in self._urls]})

    async def _unsubscribe(self, request: Request) -> Response:
        url = await _url_in(request)
        if url not in self._urls:
            fail(404, "there is no subscription with exactly this url")
        self._urls.remove(url)
        return JSONResponse({"ok": True})


async def _url_in(request: Request) -> str:
    url = (await body_of(request)).get("url")
    if not isinstance(url, str) or not _is_web_address(url):
        invalid("url must be an http or https address", {"url": "invalid"})
    return url


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and url.isprintable()
            and parts.port != 0
        )
    except ValueError:
        return False
