"""The routes of the form service, and what they do with a submission."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid4, uuid5

import structlog
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.app import VERSION, ServiceParts
from core.auth import KeyRing
from core.channel import Arrival
from core.clock import Clock
from core.errors import StorageDown
from core.inbox import Stored
from core.jsontext import write_json
from core.observability import Metrics
from core.problems import Problem, from_channel_error, from_validation_error, problem
from form_api.addresses import client_address
from form_api.body import read_submission
from form_api.forms import Quiz, Submit
from form_api.normalize import CHANNEL, normalize
from form_api.openapi import described
from form_api.origins import cors, may_post
from form_api.settings import FormSettings
from form_api.spam import Limit, looks_automatic

INSTRUCTIONS = "Public web forms. There are no tools here: submissions reach agents through the hub."


class Intake(Protocol):
    """Where submissions go (core/inbox.py)."""

    @property
    def waiting(self) -> int: ...
    async def put(self, arrivals: Sequence[Arrival]) -> list[Stored]: ...
    def run(self) -> AbstractAsyncContextManager[None]: ...


@dataclass(frozen=True)
class FormDesk:
    """Takes submissions: limit -> size -> parse -> robots -> check -> normalise -> inbox -> 200."""

    settings: FormSettings
    inbox: Intake
    limit: Limit
    clock: Clock
    metrics: Metrics

    def routes(self) -> list[Route]:
        """The two public routes."""
        return [self._route("/api/submit", Submit), self._route("/api/quiz", Quiz)]

    def _route(self, path: str, form: type[Submit | Quiz]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, form)

        return Route(
            path, endpoint, methods=["POST", "OPTIONS"], middleware=[cors(self.settings.cors_origins)]
        )

    async def _answered(self, request: Request, form: type[Submit | Quiz]) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": "POST, OPTIONS"})
        try:
            return await self._taken(request, form)
        except Problem as refused:
            return self._counted("refused", refused.response)
        except ValidationError as error:
            return self._counted("refused", from_validation_error(error))
        except StorageDown as error:
            return self._counted("storage_down", from_channel_error(error))
        except Exception:  # noqa: BLE001  # top of a request: logged whole, hidden from the caller
            structlog.get_logger().exception("submission_failed")
            return self._counted(
                "failed", problem(500, "internal_error", "The service failed; its log says why.")
            )

    async def _taken(self, request: Request, form: type[Submit | Quiz]) -> Response:
        await self._admit(request)
        given = await read_submission(request, max_bytes=self.settings.max_bytes)
        if self._is_spam(given):
            # A robot that is told nothing tries nothing else.
            return self._counted("spam", _ok(str(uuid4())))
        checked = form.model_validate(given, context={"region": self.settings.default_region})
        message_id = _message_id(request.headers.get("idempotency-key", ""), checked)
        received = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        message = normalize(checked, message_id=message_id, received=received, raw=given)
        [outcome] = await self.inbox.put([Arrival(message, event_key=message_id)])
        return self._counted(outcome, _ok(message_id))

    async def _admit(self, request: Request) -> None:
        if not may_post(request, self.settings.cors_origins):
            raise Problem(problem(403, "origin_not_allowed", "Pages of this site may not post here."))
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        address = client_address(peer, forwarded, self.settings.trusted_proxies)
        wait = await self.limit.wait_for(address)
        if wait > 0:
            raise Problem(problem(429, "rate_limited", "Too many submissions.", retry_after=wait))

    def _is_spam(self, given: Mapping[str, Any]) -> bool:
        return looks_automatic(
            given,
            honeypot=self.settings.honeypot_field,
            fill_seconds=self.settings.min_fill_seconds,
            now_ms=self.clock.now_ms(),
        )

    def _counted(self, outcome: str, response: Response) -> Response:
        self.metrics.webhook_events.labels(CHANNEL, outcome).inc()
        return response


def service_parts(
    desk: FormDesk,
    keys: KeyRing,
    *,
    connections: Callable[[], AbstractAsyncContextManager[object]],
    allowed_hosts: Sequence[str] = (),
) -> ServiceParts:
    """The service around the desk; `connections` outlive the inbox."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with connections(), desk.inbox.run():
            yield

    async def health() -> Mapping[str, Any]:
        return {"status": "ok", "service": "form_api", "spooled": desk.inbox.waiting}

    async def info() -> Mapping[str, Any]:
        return {
            "service": "form_api",
            "version": VERSION,
            "channel": CHANNEL,
            "settings": desk.settings.model_dump(mode="json"),
        }

    return ServiceParts(
        name="eldoleado-forms",
        title="Web forms",
        instructions=INSTRUCTIONS,
        operations=(),
        keys=keys,
        metrics=desk.metrics,
        health=health,
        info=info,
        lifespan=lifespan,
        public_routes=desk.routes(),
        openapi_extra=described(),
        allowed_hosts=allowed_hosts,
    )


def _message_id(idempotency_key: str, form: Submit | Quiz) -> str:
    """Repeating a key with the same answers names the same message; a page that reuses keys loses nothing."""
    if not idempotency_key:
        return str(uuid4())
    answers = write_json(form.model_dump(mode="json", exclude={"started_at"}))
    return str(uuid5(NAMESPACE_URL, f"{CHANNEL}|{type(form).__name__}|{idempotency_key}|{answers}"))


def _ok(message_id: str) -> Response:
    return JSONResponse({"ok": True, "id": message_id})
