"""Profiles and their login (contract §3.1), without the payments."""

import base64
import secrets
import string
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.media import made_up_picture
from sandbox.whatsapp.account import DAY, Account
from sandbox.whatsapp.errors import body_of, done, fail, text_in
from sandbox.whatsapp.fetching import is_web_address
from sandbox.whatsapp.gate import Gate, Needs
from sandbox.whatsapp.herald import Herald
from sandbox.whatsapp.postman import Postman
from sandbox.whatsapp.profile import Profile
from sandbox.whatsapp.queries import needed
from sandbox.whatsapp.times import moscow, utc

CODE_REFUSED_FOR = 120
CODE_LETTERS = string.ascii_uppercase + string.digits


class Sessions:
    def __init__(self, account: Account, herald: Herald, postman: Postman, restart_takes: float) -> None:
        self._account = account
        self._herald = herald
        self._postman = postman
        self._restart_takes = restart_takes

    def routes(self, gate: Gate) -> list[Route]:
        return [
            gate.account_wide("POST", "/api/profile/add", self._add),
            gate.account_wide("GET", "/api/profile/all/get", self._all),
            gate.post("/api/profile/delete", self._delete, Needs.PROFILE),
            gate.get("/api/sync/get/status", self._status, Needs.PROFILE),
            gate.get("/api/sync/qr/get", self._qr, Needs.PAID),
            gate.get("/api/sync/auth/code", self._code, Needs.PAID),
            gate.get("/api/profile/restart", self._restart, Needs.PAID),
            gate.get("/api/profile/logout", self._logout),
        ]

    async def _add(self, request: Request) -> Response:
        body = await body_of(request)
        url = text_in(body, "webhook_url", optional=True)
        if url and not is_web_address(url):
            fail("webhook_url must be an http or https address")
        profile = self._account.add_profile(text_in(body, "name"))
        profile.webhook_url = url
        return done(profile.now(), profile_id=profile.id)

    async def _all(self, _: Request) -> Response:
        profiles = self._account.profiles.values()
        return done(self._account.now(), profiles=[_brief(profile) for profile in profiles])

    async def _delete(self, profile: Profile, _: Request) -> Response:
        del self._account.profiles[profile.id]
        return done(profile.now(), detail=f"Profile {profile.id} deleted")

    async def _status(self, profile: Profile, _: Request) -> Response:
        """The one answer without a `status` key: `authorized` is the signal."""
        return JSONResponse(status_view(profile))

    async def _qr(self, profile: Profile, _: Request) -> Response:
        """A picture; nobody can scan it here: the switch `logged_out` off logs in."""
        self._check_logged_out(profile)
        picture = base64.b64encode(made_up_picture(96, 96).content).decode()
        return done(profile.now(), qrCode=f"data:image/png;base64,{picture}", uuid=profile.id)

    async def _code(self, profile: Profile, request: Request) -> Response:
        """A pairing code; WhatsApp refuses a second one for about two minutes."""
        phone = needed(request, "phone")
        self._check_logged_out(profile)
        if profile.code_asked_at is not None and profile.now() - profile.code_asked_at < CODE_REFUSED_FOR:
            fail("auth code error")
        profile.code_asked_at = profile.now()
        letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
        code = f"{letters[:4]}-{letters[4:]}"
        return done(profile.now(), code=code, phone=phone, uuid=profile.id)

    def _check_logged_out(self, profile: Profile) -> None:
        if profile.authorized:
            fail("profile is already authorized")

    async def _restart(self, profile: Profile, _: Request) -> Response:
        """The application is away for a while and comes back by itself."""
        set_app_status(profile, "connecting", self._herald)
        self._postman.later(self._restart_takes, lambda: self._come_back(profile))
        return done(profile.now(), detail="profile is restarting")

    def _come_back(self, profile: Profile) -> None:
        if profile.authorized:
            set_app_status(profile, "open", self._herald)

    async def _logout(self, profile: Profile, _: Request) -> Response:
        log_out(self._account, profile, self._herald, "logout from api")
        return done(profile.now(), detail="ok! You are logouted")


def log_out(account: Account, profile: Profile, herald: Herald, reason: str) -> None:
    account.log_out(profile)
    herald.state(profile, "authorization_status", "offline", reason)


def log_in(account: Account, profile: Profile, herald: Herald) -> None:
    account.log_in(profile)
    herald.state(profile, "authorization_status", "online")


def set_app_status(profile: Profile, status: str, herald: Herald) -> None:
    was_open, profile.app_status = profile.app_status == "open", status
    if was_open != (status == "open"):
        herald.state(profile, "application_status", "online" if status == "open" else "offline")


def status_view(profile: Profile) -> dict[str, Any]:
    now = profile.now()
    return {
        "app_status": profile.app_status,
        "authorized": profile.authorized,
        "authorized_at": _maybe(profile.authorized_at),
        "checked_at": moscow(now, 6),
        "last_activity": profile.last_activity,
        "logouted_at": _maybe(profile.logouted_at),
        "message_count": profile.message_count,
        "name": profile.name,
        "payment_expired_at": utc(profile.paid_until),
        "payment_notification": True,
        "phone": profile.phone,
        "profile_id": profile.id,
        "proxy": "",
        "uuid": profile.id,
        "webhook_types": profile.types,
        "webhook_url": profile.webhook_url,
        "worked_days": int((now - (profile.authorized_at or now)) / DAY),
    }


def _brief(profile: Profile) -> dict[str, Any]:
    """Fewer keys; `webhook_url` may be null, the counters are absent without any traffic."""
    shown = status_view(profile) | {"webhook_url": profile.webhook_url or None}
    absent = {"checked_at", "proxy", "webhook_types", "worked_days"}
    if profile.last_activity is None:
        absent |= {"last_activity", "message_count"}
    return {key: value for key, value in shown.items() if key not in absent}


def _maybe(moment: float | None) -> str | None:
    return None if moment is None else moscow(moment, 6)
