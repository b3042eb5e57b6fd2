"""What every call passes before its method: faults, token, name (contract §1, §7)."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.answers import RefusedError
from sandbox.faults import Switchboard
from sandbox.telegram.calls import Call, read_call
from sandbox.telegram.errors import (
    FRONT_END,
    PREFIXES,
    CutResponse,
    fail,
    flood,
    front_end,
    refusal,
)
from sandbox.telegram.faults import TelegramFailing, TelegramFaults
from sandbox.telegram.files import Files
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.timing import Timing

Method: TypeAlias = Callable[[Call], Awaitable[Any]]
LONGEST_TOKEN = 80
WORDS = {
    403: "Forbidden: bot was blocked by the user",
    413: "Request Entity Too Large",
    500: "Internal Server Error: restart",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A result with a description beside it."""

    result: Any
    description: str


class Gate:
    """Finds the method of a request, in any case, and wraps what it returns."""

    def __init__(
        self,
        settings: TelegramSandboxSettings,
        switches: Switchboard[TelegramFaults],
        timing: Timing,
        methods: dict[str, Method],
    ) -> None:
        self._settings = settings
        self._switches = switches
        self._timing = timing
        self._methods = {name.lower(): (name, method) for name, method in methods.items()}

    async def call(self, request: Request) -> Response:
        """`/bot<token>/<method>` and `/bot<token>/test/<method>`."""
        given: str = request.path_params["method"]
        named = given.removeprefix("test/")
        name, method = self._methods.get(named.lower(), (named, None))
        try:
            await self._misbehave(f"/{name}")
            self._check_token(request.path_params["token"], test=given != named)
            if method is None or request.method not in {"GET", "POST"}:
                fail(404, "Not Found: method not found")
            result = await method(await read_call(request))
        except RefusedError as error:
            return error.response
        if name.startswith("send") and name != "sendChatAction" and self._switches.spend_drop():
            return self._lost_answer()
        return _success(result)

    async def run(self, name: str, call: Call) -> None:
        """A method named in the answer to a webhook (§2.3); its result is lost, and so is its refusal."""
        _, method = self._methods.get(name.lower(), ("", None))
        banned = {"deletewebhook", "setwebhook", "close", "logout"}
        if method is None or name.lower() in banned or name.lower().startswith("get"):
            return
        try:
            await method(call)
        except RefusedError:
            return

    def file_route(self, files: Files) -> Callable[[Request], Awaitable[Response]]:
        """`/file/bot<token>/<file_path>`: bytes without name and type (§6)."""

        async def download(request: Request) -> Response:
            try:
                await self._misbehave("/file")
                self._check_token(request.path_params["token"], test=False)
                media = files.open(request.path_params["path"])
                if media is None:
                    fail(404, "Not Found")
            except RefusedError as error:
                return error.response
            return Response(media.content, media_type="application/octet-stream")

        return download

    async def _misbehave(self, path: str) -> None:
        faults = self._switches.now
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.rate_limit and faults.rate_limit.spend(path):
            if faults.rate_limit.retry_after is None:
                fail(429, "Too Many Requests")
            flood(faults.rate_limit.retry_after)
        if faults.error and faults.error.spend(path):
            raise RefusedError(_made_up(faults.error))

    def _check_token(self, token: str, *, test: bool) -> None:
        if token.startswith("0") or len(token) > LONGEST_TOKEN or ":" not in token:
            fail(401, "Unauthorized: invalid token specified")
        right = hmac.compare_digest(token.encode(), self._settings.token.get_secret_value().encode())
        if not right and self._settings.wrong_token_status == 404:
            fail(404, "Not Found")
        if not right or test != self._settings.test_environment or self._switches.now.expired_token:
            fail(401, "Unauthorized")

    def _lost_answer(self) -> Response:
        drop = self._switches.now.drop_as
        if drop == "cut":
            return CutResponse()
        return front_end(502) if drop == "502" else refusal(500, "Internal Server Error: restart")


def words_of(error: RefusedError) -> str:
    """The description of a refusal without its prefix."""
    description = str(json.loads(bytes(error.response.body))["description"])
    return description.removeprefix("Bad Request: ")


def _success(result: Any) -> Response:
    if isinstance(result, Told):
        return JSONResponse({"ok": True, "result": result.result, "description": result.description})
    return JSONResponse({"ok": True, "result": result})


def _made_up(fault: TelegramFailing) -> Response:
    status, prefix = fault.status, PREFIXES.get(fault.status)
    if fault.description:
        return refusal(status, f"{prefix}: {fault.description}" if prefix else fault.description)
    if status in FRONT_END:
        return front_end(status)
    return refusal(status, WORDS.get(status) or prefix or "made up by the fault switch")
