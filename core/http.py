"""The HTTP client of a messenger: one per account and process life, with every policy built in.

`vendor_client` stacks the transports of core/transports.py, so that a channel's client methods stay three
lines long: they ask, and either get the answer or one ChannelError that says what it means.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from core.errors import AuthFailed, Forbidden
from core.ratelimit import BucketShelf, TokenBucket
from core.transports import (
    REPEATABLE,
    Complaint,
    Deadline,
    Describe,
    ErrorMapping,
    Layer,
    RateLimit,
    Retry,
    Timing,
    TokenRefused,
    lost_answer,
)

__all__ = [
    "REPEATABLE",
    "WITHOUT_TOKEN",
    "Complaint",
    "MemoryTokenStore",
    "Policy",
    "Timing",
    "Token",
    "TokenStore",
    "Tokens",
    "read_answer",
    "vendor_client",
]

Answer = TypeVar("Answer")
AuthLayer = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]

#: For the token request itself: repeatable, and it carries no token.
WITHOUT_TOKEN: dict[str, Any] = {**REPEATABLE, "bearer": False}


def _no_words(_: httpx.Response) -> Complaint:
    return Complaint()


@dataclass(frozen=True, slots=True)
class Policy:
    """How one account talks to its vendor. Times in seconds; `secrets` never appear in an error text.

    `apart` has the (calls per second, burst) of what the vendor counts on its own, such as the sends of one
    chat; a request names what counts it (core/transports.py, RateLimit).
    """

    channel: str
    rate: float = 1.0
    burst: int = 5
    apart: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    timeout: float = 10.0
    connect_timeout: float = 5.0
    attempts: int = 3
    budget: float = 10.0
    in_flight: int = 10
    proxy: str = field(default="", repr=False)
    ca_bundle: str = ""
    describe: Describe = _no_words
    secrets: tuple[str, ...] = field(default=(), repr=False)


def vendor_client(
    base_url: str,
    policy: Policy,
    *,
    auth_layer: AuthLayer | None = None,
    timing: Timing | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A client whose requests raise ChannelErrors only; `transport` stands in for the network in tests."""
    stack = _stacked(policy, timing or Timing(), transport or _network(policy))
    if auth_layer:
        stack = auth_layer(stack)
    return httpx.AsyncClient(base_url=base_url, transport=stack, trust_env=False)


def read_answer(response: httpx.Response, shape: type[Answer] | TypeAdapter[Answer], channel: str) -> Answer:
    """The answer's JSON as `shape`.

    Raises, for an answer that cannot be read, OutcomeUnknown after a send and VendorDown after a read.
    """
    adapter = shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)
    try:
        return adapter.validate_json(response.content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
        detail = f"{channel} answered {response.status_code} in an unknown shape" + (
            f" (at {place})." if place else "."
        )
        raise lost_answer(response.request, channel, detail) from None


def _network(policy: Policy) -> httpx.AsyncBaseTransport:
    trusted = httpx.create_ssl_context(trust_env=False)
    if policy.ca_bundle:
        trusted.load_verify_locations(cafile=policy.ca_bundle)
    return httpx.AsyncHTTPTransport(verify=trusted, proxy=policy.proxy or None)


def _stacked(policy: Policy, timing: Timing, network: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    timeouts = httpx.Timeout(policy.timeout, connect=min(policy.connect_timeout, policy.timeout))
    stack: Layer = Deadline(network, total=policy.timeout, timeouts=timeouts)
    stack = ErrorMapping(
        stack, channel=policy.channel, describe=policy.describe, secrets=policy.secrets, wall=timing.wall
    )
    bucket = TokenBucket(policy.rate, policy.burst, timing.clock)
    stack = RateLimit(
        stack,
        bucket=bucket,
        apart=BucketShelf(policy.apart, timing.clock),
        timing=timing,
        longest=policy.budget,
        in_flight=policy.in_flight,
    )
    return Retry(stack, attempts=policy.attempts, budget=policy.budget, timing=timing)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `expires_at` is Unix seconds, a margin before the vendor's own time."""

    value: str = field(repr=False)
    expires_at: float


class TokenStore(Protocol):
    """Where the account's token is kept; replicas may share one."""

    async def get(self) -> Token | None: ...
    async def put(self, token: Token) -> None: ...


class MemoryTokenStore:
    """The store of a channel that runs as one process."""

    def __init__(self) -> None:
        self._token: Token | None = None

    async def get(self) -> Token | None:
        return self._token

    async def put(self, token: Token) -> None:
        self._token = token


class Tokens:
    """The account's access token, asked for when it is needed: once, however many are waiting."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Token]], store: TokenStore, wall: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._wall = wall
        self._one_at_a_time = asyncio.Lock()

    async def held(self) -> Token | None:
        """The token in hand while it lives; asks nobody."""
        token = await self._store.get()
        return token if token and token.expires_at > self._wall() else None

    async def current(self) -> Token:
        """A living token. Raises what the vendor's token request raises."""
        return await self.held() or await self.renew(None)

    async def renew(self, refused: Token | None) -> Token:
        """A token other than `refused`: another request may have brought it meanwhile."""
        async with self._one_at_a_time:
            token = await self.held()
            if token and token != refused:
                return token
            token = await self._fetch()
            await self._store.put(token)
            return token

    def layer(self, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """The auth layer of `vendor_client`."""
        return Bearer(inner, self)


class Bearer(Layer):
    """Puts the token in. A refused token is renewed once and the request repeated once.

    The vendor refused the request, so repeating a send is safe. Raises AuthFailed when a fresh token is
    refused with 401, Forbidden when with 403.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, tokens: Tokens) -> None:
        super().__init__(inner)
        self._tokens = tokens

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get("bearer") is False:
            return await self._inner.handle_async_request(request)
        token = await self._tokens.current()
        try:
            return await self._ask(request, token)
        except AuthFailed:
            fresh = await self._tokens.renew(token)
        try:
            return await self._ask(request, fresh)
        except TokenRefused as error:
            raise Forbidden(error.detail, channel=error.channel) from error

    async def _ask(self, request: httpx.Request, token: Token) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {token.value}"
        return await self._inner.handle_async_request(request)
