"""Text, contact, place, and the sign that the bot is busy (contract §5)."""

from typing import Any

from sandbox.telegram.calls import Call
from sandbox.telegram.errors import bad
from sandbox.telegram.gate import Method
from sandbox.telegram.outgoing import Outgoing
from sandbox.telegram.wording import Wording

LONGEST_VCARD = 2048
ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


class Sending:
    def __init__(self, outgoing: Outgoing, wording: Wording) -> None:
        self._outgoing = outgoing
        self._wording = wording

    def methods(self) -> dict[str, Method]:
        return {
            "sendMessage": self._message,
            "sendContact": self._contact,
            "sendLocation": self._location,
            "sendChatAction": self._action,
        }

    async def _message(self, call: Call) -> Any:
        return self._send(call, self._wording.text(call))

    async def _contact(self, call: Call) -> Any:
        phone, first_name = call.text("phone_number"), call.text("first_name")
        if not phone or not first_name:
            bad("phone_number and first_name are required")
        vcard = call.text("vcard") or ""
        if len(vcard.encode()) > LONGEST_VCARD:
            bad("vcard is too long")
        fields = {"last_name": call.text("last_name"), "vcard": vcard}
        known = {key: value for key, value in fields.items() if value}
        return self._send(call, {"contact": {"phone_number": phone, "first_name": first_name, **known}})

    async def _location(self, call: Call) -> Any:
        latitude, longitude = call.number("latitude"), call.number("longitude")
        if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
            bad("wrong latitude or longitude")
        return self._send(call, {"location": {"latitude": latitude, "longitude": longitude}})

    async def _action(self, call: Call) -> Any:
        action = call.text("action")
        if action not in ACTIONS:
            bad("wrong parameter action in request")
        self._outgoing.chat(call).action = action
        return True

    def _send(self, call: Call, content: dict[str, Any]) -> dict[str, Any]:
        chat = self._outgoing.chat(call)
        return self._outgoing.post(call, chat, [self._outgoing.draft(call, chat, content)])[0]
