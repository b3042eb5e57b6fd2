"""Events on their way to callback servers, and what their answers mean (contract §4.1, §4.2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpx

from sandbox.courier import Courier, Judge, Push
from sandbox.faults import Switchboard
from sandbox.timing import Clock
from sandbox.vk.community import Community, Event
from sandbox.vk.events import envelope, object_of
from sandbox.vk.faults import VkFaults
from sandbox.vk.registry import Registry, Server

POSTPONING = {410, 429, 503}
LONGEST_PAUSE = 3 * 3600
HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class VkPush(Push):
    """A push that knows its server; `code` is what a confirmation must be answered with."""

    server: Server = field(kw_only=True)
    code: str = ""


class VkJudge(Judge):
    """`ok` delivers, `remove` removes the server, a wish to wait is granted, all else is a failure."""

    def __init__(self, registry: Registry, now: Clock, failures_allowed: int) -> None:
        self._registry = registry
        self._now = now
        self._failures_allowed = failures_allowed
        self._wished: dict[str, float] = {}

    def wants(self, push: Push) -> bool:
        """Nothing more goes to a server that is gone or failed."""
        assert isinstance(push, VkPush)  # noqa: S101  # this vendor sends no other
        return self._registry.holds(push.server) and (push.handshake or push.server.status != "failed")

    def headers(self, push: Push, attempt: int) -> Mapping[str, str]:
        return push.headers if attempt == 1 else {**push.headers, "x-retry-counter": str(attempt - 1)}

    def takes(self, push: Push, answer: httpx.Response | None) -> bool:
        assert isinstance(push, VkPush)  # noqa: S101  # this vendor sends no other
        said = answer.content if answer is not None and answer.status_code == 200 else None
        if push.handshake:
            self._confirm(push, said)
            return True
        if said == b"remove":
            self._registry.remove(push.server)
            return True
        if said == b"ok":
            push.server.failures = 0
            return True
        self._count_failure(push, answer)
        return False

    def pause(self, push: Push, planned: float) -> float:
        return self._wished.pop(push.id, planned)

    def _confirm(self, push: VkPush, said: bytes | None) -> None:
        """The code and nothing but the code: no JSON, no blanks."""
        right = {push.code.encode(), self._registry.code.encode()}
        push.server.status = "ok" if said in right else "failed"
        push.server.failures = 0
        self._registry.rotate()

    def _count_failure(self, push: VkPush, answer: httpx.Response | None) -> None:
        wish = self._wish(answer)
        if wish is not None:
            self._wished[push.id] = wish
            return
        push.server.failures += 1
        if push.server.failures >= self._failures_allowed:
            push.server.status = "failed"

    def _wish(self, answer: httpx.Response | None) -> float | None:
        """Seconds until the HTTP date of `Retry-After`, which must be less than three hours away."""
        if answer is None or answer.status_code not in POSTPONING:
            return None
        try:
            seconds = parsedate_to_datetime(answer.headers.get("retry-after", "")).timestamp() - self._now()
        except ValueError:
            return None
        return seconds if 0 < seconds < LONGEST_PAUSE else None


class Deliveries:
    """Packs events for every server that wants them and hands them to the courier."""

    def __init__(
        self,
        community: Community,
        registry: Registry,
        courier: Courier,
        switches: Switchboard[VkFaults],
        *,
        bare_confirmation: bool,
    ) -> None:
        self._community = community
        self._registry = registry
        self._courier = courier
        self._switches = switches
        self._bare_confirmation = bare_confirmation

    def publish(self, event: Event, event_id: str) -> None:
        """To each confirmed server with this flag; `secret` only where one is set."""
        for server in self._registry.servers.values():
            if server.status == "ok" and server.flags.get(event.type):
                self._courier.send(self._push(server, event, event_id))

    def _push(self, server: Server, event: Event, event_id: str) -> VkPush:
        faults = self._switches.now
        group = self._community.id + int(faults.wrong_group)
        body = envelope(event.type, event_id, group, server.api_version)
        body["object"] = object_of(
            self._community, event, version=server.api_version, string_payload=faults.string_payload
        )
        if server.secret or faults.wrong_secret:
            body["secret"] = "wrong" if faults.wrong_secret else server.secret
        return VkPush(
            id=event_id,
            url=server.url,
            lane=str(event.peer_id),
            message_id=event.message.key if event.message else "",
            type=event.type,
            body=_json(body),
            headers=HEADERS,
            server=server,
        )

    def confirm(self, server: Server, event_id: str) -> None:
        """Ask the address for the code; the server is `wait` until it has answered."""
        server.status = "wait"
        body: dict[str, object] = {"type": "confirmation", "group_id": self._community.id}
        if not self._bare_confirmation:
            body = envelope("confirmation", event_id, self._community.id, server.api_version)
            body |= {"secret": server.secret} if server.secret else {}
        push = VkPush(
            id=event_id,
            url=server.url,
            lane="confirmation",
            message_id="",
            type="confirmation",
            body=_json(body),
            headers=HEADERS,
            handshake=True,
            server=server,
            code=self._registry.code,
        )
        self._courier.send(push)


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
