"""Tells the subscriber: type filter, `auth` header, envelope, the way to the courier (§3.7, §4)."""

import json
import secrets
from typing import Any

from sandbox.courier import Courier, Push
from sandbox.faults import Switchboard
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.links import Links
from sandbox.whatsapp.payloads import Shape, call_item, message_item, state_item, status_item
from sandbox.whatsapp.profile import Message, Person, Profile


class Herald:
    def __init__(self, courier: Courier, switches: Switchboard[WhatsAppFaults], links: Links) -> None:
        self._courier = courier
        self._switches = switches
        self._links = links

    @property
    def _shape(self) -> Shape:
        return Shape(self._switches.now, self._links)

    def messages(self, profile: Profile, written: list[Message]) -> None:
        """Messages written together; nothing is told while the profile is not connected (§6.4)."""
        if not profile.live:
            return
        items = [message_item(profile, message, self._shape) for message in written]
        wanted = [item for item in items if item["wh_type"] in profile.types]
        for start in range(0, len(wanted), self._switches.now.items_per_post):
            some = wanted[start : start + self._switches.now.items_per_post]
            self._post(profile, some, lane=written[0].chat.id)

    def status(self, profile: Profile, message: Message) -> None:
        skipped = message.status in self._switches.now.skip_statuses
        if profile.live and "delivery_status" in profile.types and not skipped:
            item = status_item(profile, message, self._shape, at=profile.now())
            self._post(profile, [item], lane=message.chat.id)

    def state(self, profile: Profile, wh_type: str, state: str, reason: str = "") -> None:
        """A profile event; it comes although the profile is offline, but not when it is unpaid."""
        if profile.paid and wh_type in profile.types:
            self._post(profile, [state_item(profile, wh_type, state, self._shape, reason)], lane=profile.id)

    def call(self, profile: Profile, person: Person, kind: str) -> None:
        if profile.live and "incoming_call" in profile.types:
            self._post(profile, [call_item(profile, person, kind, self._shape)], lane=person.address)

    def _post(self, profile: Profile, items: list[dict[str, Any]], *, lane: str) -> None:
        """`messages` is an array, or one object for the types of the switch."""
        if not profile.webhook_url:
            return
        faults, first = self._switches.now, items[0]
        alone = len(items) == 1 and first["wh_type"] in faults.object_for
        body = json.dumps({"messages": first if alone else items}, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        if profile.auth:
            headers[faults.auth_header] = profile.auth
        push = Push(
            id=f"wh-{secrets.token_hex(8)}",
            url=profile.webhook_url,
            lane=lane,
            message_id=str(first.get("id", "")),
            type=first["wh_type"],
            body=body,
            headers=headers,
        )
        self._courier.send(push)
