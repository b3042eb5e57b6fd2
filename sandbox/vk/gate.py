"""What every call passes before its method, in the order of contract §7.1."""

import hmac
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.faults import Switchboard
from sandbox.timing import Timing
from sandbox.vk.errors import ApiError, busy_page, fail
from sandbox.vk.faults import ApiFailure, VkFaults
from sandbox.vk.params import Params, params_of
from sandbox.vk.settings import VkSandboxSettings

SCOPE_OF = {"messages": "messages", "photos": "photos", "docs": "docs"}
MANAGED = ("Callback", "LongPoll")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may happen; `here` is the address of the simulator as the caller knows it."""

    method: str
    params: Params
    here: str


Method: TypeAlias = Callable[[Call], Any]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class Gate:
    """`/method/{name}`: refuses with HTTP 200 and an error, or lets the method answer."""

    def __init__(self, settings: VkSandboxSettings, switches: Switchboard[VkFaults], timing: Timing) -> None:
        self._settings = settings
        self._switches = switches
        self._timing = timing
        self._methods: dict[str, Method] = {}
        self._calls: deque[float] = deque()

    def open(self, methods: Mapping[str, Method]) -> None:
        """Let these methods be called."""
        self._methods.update(methods)

    def forget(self) -> None:
        self._calls.clear()

    def outdoors(self, endpoint: Endpoint) -> Endpoint:
        """For the upload addresses: no token, but `slow` and `error`."""

        async def reached(request: Request) -> Response:
            await self._misbehave(request)
            return await endpoint(request)

        return reached

    async def endpoint(self, request: Request) -> Response:
        await self._misbehave(request)
        if len(request.url.query) > self._settings.longest_query:
            return Response("<h1>414 Request-URI Too Large</h1>", 414, media_type="text/html")
        params, name = await params_of(request), request.path_params["name"]
        call = Call(name, params, _address(request))
        try:
            self._admit(call, request)
            answer = self.dispatch(call)
        except ApiError as error:
            return JSONResponse({"error": error.body(name, params.given)})
        return JSONResponse(answer if name == "execute" else {"response": answer})

    def dispatch(self, call: Call) -> Any:
        """Run one method behind the scope check; `execute` comes here for each of its calls."""
        method = self._methods.get(call.method)
        if method is None:
            fail(3)
        self._check_scope(call.method)
        self._fail_as_switched(call)
        return method(call)

    async def _misbehave(self, request: Request) -> None:
        faults = self._switches.now
        if faults.slow:
            await self._timing.sleep(faults.slow)
        if faults.error and faults.error.spend(request.url.path):
            busy_page(faults.error.status)

    def _admit(self, call: Call, request: Request) -> None:
        if call.method not in self._methods:
            fail(3)
        if not call.params.text("v"):
            fail(8, "v (version) is required")
        self._check_token(call.params.text("access_token") or _bearer(request))
        self._check_rate(call)

    def _check_token(self, token: str) -> None:
        if not token:
            fail(5, "no access_token passed.")
        known = self._settings.access_token.get_secret_value()
        if not hmac.compare_digest(token.encode(), known.encode()):
            fail(5, "invalid access_token (4).")
        if fault := self._switches.now.expired_token:
            fail(int(fault.mode), "invalid access_token (4)." if fault.mode == "5" else "")

    def _check_rate(self, call: Call) -> None:
        fault, now = self._switches.now.rate_limit, self._timing.now()
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if (fault and fault.spend(call.method)) or len(self._calls) >= self._settings.calls_per_second:
            fail(6)
        self._calls.append(now)

    def _check_scope(self, method: str) -> None:
        section, _, verb = method.partition(".")
        scope = "manage" if any(word in verb for word in MANAGED) else SCOPE_OF.get(section)
        lacking = self._switches.now.missing_permissions
        if scope and (scope not in self._settings.permissions or scope in lacking):
            fail(7)

    def _fail_as_switched(self, call: Call) -> None:
        fault = self._switches.now.api_error
        if fault is None or _answers(fault.code, call.params) or not fault.spend(call.method):
            return
        extras = _extras(fault, call.here, without_picture=self._switches.now.captcha_without_picture)
        fail(fault.code, fault.tail, {**extras, **fault.extras})


def _address(request: Request) -> str:
    """Scheme, host and prefix as the caller wrote them."""
    return str(request.url.replace(path=request.scope["root_path"], query=""))


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _answers(code: int, params: Params) -> bool:
    """Whether the call brings what a captcha or a confirmation asked for (§1)."""
    if code == 14:
        solved = params.text("captcha_sid") and params.text("captcha_key")
        return bool(solved or params.text("success_token"))
    return code == 24 and params.text("confirm") == "1"


def _extras(fault: ApiFailure, here: str, *, without_picture: bool) -> dict[str, Any]:
    page = {"redirect_uri": f"{here}/not_robot"}
    if fault.code == 14:
        picture = {"captcha_sid": "101", "captcha_img": f"{here}/captcha.png"}
        details = {"captcha_ts": 1.5, "captcha_attempt": 1, "captcha_ratio": 2.6}
        return {**({} if without_picture else picture), **details, **page, "is_sound_captcha_available": True}
    if fault.code == 24:
        return {"confirmation_text": "Вы уверены?"}
    return page if fault.code == 17 else {}
