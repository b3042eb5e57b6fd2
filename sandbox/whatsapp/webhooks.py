"""The webhook's URL, phrase and types (contract §3.7)."""

from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.whatsapp.errors import anything_of, done, fail
from sandbox.whatsapp.faults import WebhookType, WhatsAppFaults
from sandbox.whatsapp.fetching import is_web_address
from sandbox.whatsapp.gate import Gate, Needs
from sandbox.whatsapp.profile import Profile
from sandbox.whatsapp.queries import needed

TYPES = get_args(WebhookType)


class Webhooks:
    """One URL per profile; a new one takes the place of the old without a word."""

    def __init__(self, switches: Switchboard[WhatsAppFaults]) -> None:
        self._switches = switches

    def routes(self, gate: Gate) -> list[Route]:
        return [
            gate.get("/api/webhook/url/get", self._shown, Needs.PROFILE),
            gate.post("/api/webhook/url/set", self._set, Needs.PROFILE),
            gate.post("/api/webhook/url/delete", self._delete, Needs.PROFILE),
            gate.post("/api/webhook/types/set", self._set_types, Needs.PROFILE),
        ]

    async def _shown(self, profile: Profile, _: Request) -> Response:
        url = profile.webhook_url
        detail = "webhook is installed" if url else "webhook is not installed"
        return done(profile.now(), detail=detail, url=url, installed=bool(url))

    async def _set(self, profile: Profile, request: Request) -> Response:
        """In the query; a call without `auth` forgets the phrase (a choice)."""
        url = needed(request, "url")
        if not is_web_address(url):
            fail("url must be an http or https address")
        phrase = request.query_params.get("auth", "")
        if not (phrase.isascii() and (phrase.isprintable() or not phrase)):
            fail("auth must be a phrase for a header")
        profile.webhook_url, profile.auth = url, phrase
        return done(profile.now())

    async def _delete(self, profile: Profile, _: Request) -> Response:
        profile.webhook_url = profile.auth = ""
        return done(profile.now())

    async def _set_types(self, profile: Profile, request: Request) -> Response:
        """A bare array, which replaces the whole set."""
        given = self._array(await anything_of(request))
        if not all(isinstance(name, str) and name in TYPES for name in given):
            fail(f"webhook types are {' '.join(TYPES)}")
        profile.types = list(dict.fromkeys(given))
        return done(profile.now())

    def _array(self, body: Any) -> list[Any]:
        if isinstance(body, dict) and self._switches.now.lenient:
            body = next(iter(body.values()), [])
        if not isinstance(body, list):
            fail("the body must be an array")
        return body
