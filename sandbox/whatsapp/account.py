"""The Wappi account: its token, its profiles, and the people who have WhatsApp."""

import secrets

from sandbox.timing import Clock
from sandbox.whatsapp import seed
from sandbox.whatsapp.profile import Chat, Person, Profile, stable_number
from sandbox.whatsapp.settings import WhatsAppSandboxSettings

DAY = 86_400.0


class Account:
    """One token, one or more profiles."""

    def __init__(self, settings: WhatsAppSandboxSettings, now: Clock) -> None:
        self._settings = settings
        self.now = now
        self.people: dict[str, Person] = {}
        self.profiles: dict[str, Profile] = {}
        self.forget()

    @property
    def first(self) -> Profile:
        """The profile that customers write to when they do not choose: the first that is left."""
        return next(iter(self.profiles.values()))

    def forget(self) -> None:
        """The people and profiles of the settings, as if nothing had happened."""
        self.people = {phone: Person(phone, name) for name, phone in seed.CUSTOMERS.items()}
        self.profiles = {}
        for profile_id, phone in self._settings.profiles:
            profile = self.add_profile(self._settings.profile_name, profile_id=profile_id)
            profile.phone, profile.authorized, profile.app_status = phone, True, "open"
            profile.authorized_at = self.now()

    def add_profile(self, name: str, *, profile_id: str = "") -> Profile:
        """A new profile is not logged in."""
        profile_id = profile_id or f"{secrets.token_hex(4)}-{secrets.token_hex(2)}"
        profile = Profile(profile_id, name, "", self.now, self.now() + self._settings.paid_days * DAY)
        profile.authorized, profile.app_status = False, "close"
        self.profiles[profile_id] = profile
        return profile

    def log_in(self, profile: Profile) -> None:
        """A person scans the code; a new profile gets the phone that scans it."""
        profile.phone = profile.phone or f"79{stable_number(profile.id, 10**9):09d}"
        profile.authorized, profile.app_status = True, "open"
        profile.authorized_at, profile.logouted_at = self.now(), None

    def log_out(self, profile: Profile) -> None:
        profile.authorized, profile.app_status = False, "close"
        profile.logouted_at = self.now()

    def unhook(self, url: str) -> None:
        """Switch a webhook off wherever it is set."""
        for profile in self.profiles.values():
            if profile.webhook_url == url:
                profile.webhook_url = ""

    def pay(self, profile: Profile) -> None:
        profile.paid_until = self.now() + self._settings.paid_days * DAY

    def person(self, named: str) -> Person:
        """The person of this name or phone, made up on first sight with a phone that is always the same."""
        if known := self.find_person(named):
            return known
        phone, name = (named, f"+{named}") if is_phone(named) else (self._free_phone(named), named)
        self.people[phone] = Person(phone, name)
        return self.people[phone]

    def find_person(self, named: str) -> Person | None:
        return next((known for known in self.people.values() if named in {known.name, known.phone}), None)

    def person_behind(self, lid: str) -> Person | None:
        return next((known for known in self.people.values() if known.lid == lid), None)

    def chat_with(self, profile: Profile, chat_id: str) -> Chat:
        """The chat of a canonical id (`…@c.us` or `…@g.us`), opened on first use."""
        if chat_id.endswith("@g.us"):
            return profile.chat(chat_id, None, seed.GROUPS.get(chat_id, f"Группа {chat_id[:6]}"))
        person = self.person(chat_id.partition("@")[0])
        return profile.chat(chat_id, person, person.name)

    def is_known_group(self, chat_id: str) -> bool:
        return chat_id in seed.GROUPS or any(chat_id in profile.chats for profile in self.profiles.values())

    def find_chat(self, key: str) -> tuple[Profile, Chat] | None:
        """The chat that the control API calls so."""
        for profile in self.profiles.values():
            for chat in profile.chats.values():
                if key in {self.key_of(profile, chat), f"{profile.id}:{chat.id}"}:
                    return profile, chat
        return None

    def key_of(self, profile: Profile, chat: Chat) -> str:
        """`…@c.us` in the first profile, `profile:…@c.us` in the others: two may know the same phone."""
        return chat.id if profile is self.first else f"{profile.id}:{chat.id}"

    def _free_phone(self, name: str) -> str:
        taken = {*self.people, *(profile.phone for profile in self.profiles.values())}
        number = stable_number(name, 10**9)
        while f"79{number:09d}" in taken:
            number = (number + 1) % 10**9
        return f"79{number:09d}"


def is_phone(named: str) -> bool:
    return named.isascii() and named.isdigit() and 5 <= len(named) <= 15
