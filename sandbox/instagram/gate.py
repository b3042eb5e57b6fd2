"""What every call passes: faults, token, then the path, as Meta does (contract §4, §15); and the ledger."""

import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox.answers import RefusedError
from sandbox.faults import NextCalls, Switchboard
from sandbox.instagram.calls import Call, Path, read_call
from sandbox.instagram.errors import GraphError, fail, lost, no_such_object, rendered
from sandbox.instagram.faults import GraphFailing, InstagramFaults
from sandbox.instagram.limits import Limits
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Json
from sandbox.instagram.tokens import Tokens
from sandbox.timing import Timing

Endpoint: TypeAlias = Callable[[Call], Awaitable[Json]]
Edges: TypeAlias = Mapping[tuple[str, str], Endpoint]


class Gate:
    """The one endpoint; `edges` are keyed by method and last segment, "" is the node itself."""

    def __init__(
        self,
        settings: InstagramSandboxSettings,
        *,
        tokens: Tokens,
        limits: Limits,
        switches: Switchboard[InstagramFaults],
        timing: Timing,
        edges: Edges,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._limits = limits
        self._switches = switches
        self._timing = timing
        self._edges = edges
        self._open: dict[tuple[str, Path], Callable[[Json], Awaitable[Json]]] = {
            ("GET", ("access_token",)): tokens.exchange,
            ("GET", ("refresh_access_token",)): tokens.refresh,
            ("POST", ("oauth", "access_token")): tokens.from_code,
        }
        self.ledger: deque[Json] = deque(maxlen=1000)

    async def __call__(self, request: Request) -> Response:
        line: Json = {"method": request.method, "path": request.path_params["path"]}
        call: Call | None = None
        try:
            call = await read_call(request, default_version=self._settings.version)
            line["params"] = {k: v for k, v in call.params.items() if k != "client_secret"}
            response = await self._answer(call)
        except GraphError as error:
            line["error"] = [error.code, error.subcode]
            response = rendered(
                error, flavour=self._settings.flavour, token_status=self._settings.token_status
            )
        except RefusedError as refusal:
            response = refusal.response
        self.ledger.append(line | {"status": response.status_code, "at": self._timing.now()})
        self._add_headers(response, call)
        return response

    async def _answer(self, call: Call) -> Response:
        failure = await self._misbehave(call)
        if failure and not failure.apply:
            self._fail_as(failure)
        if (call.method, call.path) == ("GET", ("oauth", "authorize")):
            return RedirectResponse(await self._tokens.authorise(call.params), 302)
        answer = await self._ask(call)
        if failure:
            self._fail_as(failure)
        return JSONResponse(answer)

    async def _ask(self, call: Call) -> Json:
        if making := self._open.get((call.method, call.path)):
            return await making({**call.params, **({"access_token": call.token} if call.token else {})})
        call.account = self._tokens.check(call.token).account
        if not 1 <= len(call.path) <= 2:
            no_such_object("/".join(call.path))
        endpoint = self._edges.get((call.method, call.path[1] if len(call.path) == 2 else ""))
        if endpoint is None:
            no_such_object("/".join(call.path))
        return await endpoint(call)

    async def _misbehave(self, call: Call) -> GraphFailing | None:
        """Switches without a path leave the token calls alone."""
        faults, path = self._switches.now, f"/{'/'.join(call.path)}"
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.rate_limit and self._aimed(faults.rate_limit, call) and faults.rate_limit.spend(path):
            limit = faults.rate_limit
            pause = {} if limit.retry_after is None else {"Retry-After": f"{limit.retry_after:g}"}
            subcode = limit.subcode if limit.code == 613 else None
            raise GraphError(limit.code, "Application request limit reached", subcode, limit.status, pause)
        if faults.error and self._aimed(faults.error, call) and faults.error.spend(path):
            return faults.error
        return None

    def _aimed(self, fault: NextCalls, call: Call) -> bool:
        return bool(fault.path) or (call.method, call.path) not in self._open

    def _fail_as(self, failure: GraphFailing) -> None:
        if failure.drop:
            raise RefusedError(lost("cut"))
        fail(failure.code, failure.message, failure.subcode, status=failure.status)

    def _add_headers(self, response: Response, call: Call | None) -> None:
        trace = secrets.token_urlsafe(8)
        account = getattr(call, "account", None) if call else None
        shown = {
            "x-fb-request-id": secrets.token_hex(12),
            "x-fb-trace-id": trace,
            "x-fb-rev": "1030000001",
            "facebook-api-version": call.version if call else self._settings.version,
            **self._limits.headers(account),
        }
        for name, value in shown.items():
            response.headers[name] = value
