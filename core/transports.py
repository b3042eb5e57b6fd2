"""Policies of the vendor HTTP client as stacked transports, innermost first:

Deadline -> ErrorMapping -> RateLimit -> Retry (-> Bearer, in core/http.py)

A layer sees one request and knows nothing of the others. What tells them apart is the request's *effect*
(`extensions={"effect": ...}`): "send" may be done once only, "read" may be repeated. Without a mark, GET and
HEAD read and everything else sends.
"""

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from core.errors import (
    AuthFailed,
    ChannelError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PlanRequired,
    RateLimited,
    Rejected,
    VendorDown,
)
from core.lanes import is_patient
from core.ratelimit import BucketShelf, TokenBucket
from core.untrusted import clean, quoted

log = logging.getLogger(__name__)

Effect = Literal["read", "send"]
#: Marks a request that may be repeated although it is a POST: a list, an upload, setting a state again.
REPEATABLE: dict[str, Any] = {"effect": "read"}
#: Errors before the first byte left: the vendor certainly did nothing.
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
LONGEST_WORDS = 300
#: A vendor that says "come back in a week" is asked again sooner, seconds.
LONGEST_HOLD = 300.0
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_ABOUT_TOKEN = re.compile("token|токен", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Timing:
    """Time as an argument: `clock` counts seconds, `wall` is Unix time, `jitter` is a draw from 0..1."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a vendor's answer says about a failure.

    `status` is the HTTP status that the answer means, for vendors that hide errors in a 200; 0 = as answered.
    `kind` is the error itself where the vendor's own codes tell more than a status could; OutcomeUnknown
    stands for "nobody can tell", which is harmless (VendorDown) for a request that may be repeated.
    `retry_after` is in seconds, for vendors that tell it in the body.
    """

    words: str = ""
    status: int = 0
    kind: type[ChannelError] | None = None
    retry_after: float | None = None


Describe = Callable[[httpx.Response], Complaint]


class TokenRefused(AuthFailed):
    """A 403 that speaks of the token: expired, or a missing right; a fresh token tells which."""


def effect_of(request: httpx.Request) -> Effect:
    """Whether the request may be repeated."""
    marked: Effect | None = request.extensions.get("effect")
    return marked or ("read" if request.method in {"GET", "HEAD"} else "send")


def lost_answer(request: httpx.Request, channel: str, detail: str) -> ChannelError:
    """The error for a request whose outcome nobody told: unknown for a send, harmless for the rest."""
    kind = OutcomeUnknown if effect_of(request) == "send" else VendorDown
    return kind(detail, channel=channel)


def masked(words: str, secrets: tuple[str, ...] = ()) -> str:
    """A vendor's words fit for a log: one line, short, without addresses and known secrets."""
    for secret in filter(None, secrets):
        words = words.replace(secret, "***")
    words = clean(_UNPRINTABLE.sub(" ", _URL.sub("(address)", words)))
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}..."


class Layer(httpx.AsyncBaseTransport):
    """A transport around a transport."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()


class Deadline(Layer):
    """Reads the whole answer within `total` seconds; a slow trickle is a timeout too.

    A large upload may ask for more with `extensions={"seconds": ...}`; so long the vendor may be silent then.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, total: float, timeouts: httpx.Timeout) -> None:
        super().__init__(inner)
        self._total = total
        self._timeouts = timeouts.as_dict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        total = request.extensions.get("seconds", self._total)
        timeouts = {**self._timeouts, "read": total, "write": total}
        request.extensions = {**request.extensions, "timeout": timeouts}
        try:
            async with asyncio.timeout(total):
                response = await self._inner.handle_async_request(request)
                await response.aread()
        except TimeoutError as error:
            raise httpx.ReadTimeout("no whole answer in time", request=request) from error
        return response


class ErrorMapping(Layer):
    """Turns failures and refusals into the ChannelError tree; a returned answer is a success.

    Vendor's words come from `describe`; they are masked, the raw body never travels.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        channel: str,
        describe: Describe,
        secrets: tuple[str, ...],
        wall: Callable[[], float],
    ) -> None:
        super().__init__(inner)
        self._channel = channel
        self._describe = describe
        self._secrets = secrets
        self._wall = wall

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except NOTHING_SENT as error:
            raise VendorDown(f"{self._channel} cannot be reached.", channel=self._channel) from error
        except httpx.RequestError as error:
            detail = f"{self._channel} gave no whole answer ({type(error).__name__})."
            raise lost_answer(request, self._channel, detail) from error
        complaint = self._describe(response)
        status = complaint.status or response.status_code
        if status >= 300 or complaint.kind:
            raise self._refusal(status, complaint, request, response)
        return response

    def _refusal(
        self, status: int, complaint: Complaint, request: httpx.Request, response: httpx.Response
    ) -> ChannelError:
        words = masked(complaint.words, (*self._secrets, _bearer(request)))
        detail = f"{self._channel} answered {status}" + (f": {quoted(words)}." if words else ".")
        told = complaint.retry_after
        error = self._error(complaint.kind or _refusal_kind(status, words), detail, request)
        error.retry_after = retry_after(response, self._wall()) if told is None else told
        return error

    def _error(self, kind: type[ChannelError], detail: str, request: httpx.Request) -> ChannelError:
        if kind is OutcomeUnknown:
            return lost_answer(request, self._channel, detail)
        meaning = f"{kind.__doc__} " if kind is PlanRequired else ""
        return kind(meaning + detail, channel=self._channel)


class RateLimit(Layer):
    """Waits for the account's turn and keeps few requests in flight.

    A request that the vendor counts apart as well says so with `extensions={"counted": {"chat": chat_id}}`
    and waits for that turn first. A turn further away than `longest` seconds is refused with RateLimited.
    What has time (core/lanes.py) lets everybody else go first, for half of `longest`: then it stands in line.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        bucket: TokenBucket,
        apart: BucketShelf,
        timing: Timing,
        longest: float,
        in_flight: int,
    ) -> None:
        super().__init__(inner)
        self._bucket = bucket
        self._apart = apart
        self._timing = timing
        self._longest = longest
        self._slots = asyncio.Semaphore(in_flight)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        counted: Mapping[str, str] = request.extensions.get("counted", {})
        buckets = [*self._apart.buckets(counted), self._bucket]
        for bucket in buckets:
            await self._turn(bucket)
        try:
            async with self._slots:
                response = await self._inner.handle_async_request(request)
        except RateLimited as error:
            buckets[0].spend_burst()
            buckets[0].hold(min(error.retry_after or 0.0, LONGEST_HOLD))
            raise
        if response.headers.get("x-ratelimit-remaining") == "0":
            self._bucket.spend_burst()
        return response

    async def _turn(self, bucket: TokenBucket) -> None:
        if is_patient():
            await self._let_pass(bucket)
        wait = bucket.reserve(self._longest)
        if wait > self._longest:
            raise RateLimited("Too many requests of this account are waiting already.", retry_after=wait)
        if wait:
            await self._timing.sleep(wait)

    async def _let_pass(self, bucket: TokenBucket) -> None:
        """Until nobody is before us, or we have let others pass for long enough."""
        stands_in_line_at = self._timing.clock() + self._longest / 2
        while wait := bucket.wait():
            left = stands_in_line_at - self._timing.clock()
            if left <= 0:
                return
            await self._timing.sleep(min(wait, left))


class Retry(Layer):
    """Repeats what was certainly not done: VendorDown and RateLimited, which sends raise only then.

    Bounded by attempts and by total seconds; the vendor's Retry-After wins over our own backoff.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, attempts: int, budget: float, timing: Timing
    ) -> None:
        super().__init__(inner)
        self._attempts = attempts
        self._budget = budget
        self._timing = timing

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        give_up_at = self._timing.clock() + self._budget
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._inner.handle_async_request(request)
            except (VendorDown, RateLimited) as error:
                wait = self._wait(error, attempt)
                if attempt >= self._attempts or self._timing.clock() + wait > give_up_at:
                    raise
                log.warning(
                    "%s: attempt %d failed (%s), next in %.1f s", error.channel, attempt, error.code, wait
                )
            await self._timing.sleep(wait)

    def _wait(self, error: ChannelError, attempt: int) -> float:
        """1, 2, 4 ... seconds with up to a quarter more, unless the vendor names a time."""
        if error.retry_after is not None:
            return error.retry_after
        return float(2 ** (attempt - 1)) * (1 + self._timing.jitter() / 4)


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of the Retry-After header (a number or an HTTP date); None when absent or unreadable."""
    written = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(written)
    except ValueError:
        seconds = _seconds_until(written, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(http_date: str, now: float) -> float:
    try:
        return parsedate_to_datetime(http_date).timestamp() - now
    except (ValueError, OverflowError):
        return math.nan


_BY_STATUS: dict[int, type[ChannelError]] = {
    401: AuthFailed,
    402: PlanRequired,
    404: NotFound,
    408: VendorDown,
    429: RateLimited,
}


def _refusal_kind(status: int, words: str) -> type[ChannelError]:
    if status >= 500:
        return OutcomeUnknown
    if status < 400:
        return VendorDown
    if status == 403:
        return TokenRefused if not words or _ABOUT_TOKEN.search(words) else Forbidden
    return _BY_STATUS.get(status, Rejected)


def _bearer(request: httpx.Request) -> str:
    written: str = request.headers.get("authorization", "")
    return written.removeprefix("Bearer ")
