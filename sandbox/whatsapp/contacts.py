"""Contacts of the account (contract §3.6); the keys of `contacts/get` are not documented."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.whatsapp.account import Account, is_phone
from sandbox.whatsapp.addresses import canonical, digits, is_group, is_never_delivered
from sandbox.whatsapp.errors import done, fail
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.gate import Gate
from sandbox.whatsapp.payloads import contact_card
from sandbox.whatsapp.profile import Person, Profile
from sandbox.whatsapp.queries import needed
from sandbox.whatsapp.views import contact_view, user_card


class Contacts:
    def __init__(self, account: Account, switches: Switchboard[WhatsAppFaults]) -> None:
        self._account = account
        self._switches = switches

    def routes(self, gate: Gate) -> list[Route]:
        return [
            gate.get("/api/sync/contacts/get", self._all),
            gate.get("/api/sync/contact/get", self._one),
            gate.get("/api/sync/contact/check", self._check),
            gate.get("/api/sync/contact/info", self._about),
        ]

    async def _all(self, profile: Profile, _: Request) -> Response:
        people = [contact_view(person) for person in self._account.people.values()]
        return done(profile.now(), contacts=people)

    async def _one(self, profile: Profile, request: Request) -> Response:
        person = self._known(needed(request, "recipient"))
        return done(profile.now(), contact=contact_view(person))

    async def _check(self, profile: Profile, request: Request) -> Response:
        phone = needed(request, "phone")
        if not is_phone(phone):
            fail("phone must be digits")
        return done(profile.now(), on_whatsapp=self._has_whatsapp(phone), phone=phone)

    async def _about(self, profile: Profile, request: Request) -> Response:
        person = self._known(needed(request, "user_id"))
        shown = {
            "is_on_whatsapp": self._has_whatsapp(person.phone),
            "id": person.address,
            "user": {person.address: user_card(person)},
            "contact": contact_card(person),
        }
        return done(profile.now(), profile=shown)

    def _known(self, written: str) -> Person:
        """Anybody with a phone may be looked up; only the name is unknown then."""
        chat_id = canonical(written)
        if chat_id is None or is_group(chat_id):
            fail("contact not found")
        phone = digits(chat_id)
        return self._account.people.get(phone) or Person(phone, f"+{phone}")

    def _has_whatsapp(self, phone: str) -> bool:
        return phone not in self._switches.now.not_on_whatsapp and not is_never_delivered(f"{phone}@c.us")
