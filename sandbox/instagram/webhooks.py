"""Who is told what: the app's callback and fields, the account's subscription, signature (contract §13)."""

import hmac
import secrets
from hashlib import sha1, sha256

from sandbox.courier import Push
from sandbox.faults import Switchboard
from sandbox.instagram.calls import Call
from sandbox.instagram.errors import fail, invalid, no_such_object
from sandbox.instagram.events import Event, development_event, encoded, envelope
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.gate import Edges
from sandbox.instagram.limits import Limits
from sandbox.instagram.postman import Callback, Postman
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Account, Chat, Json
from sandbox.timing import Timing

FIELDS = {
    *("comments", "live_comments", "mentions", "message_echoes", "message_edits", "message_reactions"),
    *("messages", "messaging_handover", "messaging_optins", "messaging_policy_enforcement"),
    *("messaging_postbacks", "messaging_referral", "messaging_seen", "response_feedback", "standby"),
    "story_insights",
}


class Signer:
    """Both headers over the raw bytes (§13.3); the switch signs with another key or not at all."""

    def __init__(self, secret: bytes, switches: Switchboard[InstagramFaults]) -> None:
        self._secret = secret
        self._switches = switches

    def headers(self, body: bytes) -> dict[str, str]:
        headers = {"content-type": "application/json", "user-agent": "facebookexternalua", "accept": "*/*"}
        kind = self._switches.now.signature
        if kind == "missing":
            return headers
        secret = self._secret if kind == "right" else b"not-" + self._secret
        return {
            **headers,
            "x-hub-signature": f"sha1={hmac.new(secret, body, sha1).hexdigest()}",
            "x-hub-signature-256": f"sha256={hmac.new(secret, body, sha256).hexdigest()}",
        }


class Webhooks:
    """Once subscribed, an account is told every field that the app has ticked, whatever it named (§13.1)."""

    def __init__(
        self,
        settings: InstagramSandboxSettings,
        *,
        postman: Postman,
        signer: Signer,
        switches: Switchboard[InstagramFaults],
        limits: Limits,
        timing: Timing,
    ) -> None:
        self._settings = settings
        self._postman = postman
        self._signer = signer
        self._switches = switches
        self._limits = limits
        self._timing = timing
        self.fields: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """The dashboard is as the settings have it."""
        token = self._settings.verify_token.get_secret_value()
        self._postman.callback = Callback(self._settings.callback_url, token)
        self.fields = set(self._settings.fields)

    @property
    def echo_field(self) -> str:
        """Flavour A needs `message_echoes`; in B echoes come inside `messages` (§13.1)."""
        return "message_echoes" if self._settings.flavour == "instagram" else "messages"

    def announce(self, chat: Chat, event: Event) -> None:
        faults = self._switches.now
        if {chat.id, chat.person.named, chat.person.username} & set(faults.deaf_to):
            return
        if faults.development and "message" in event.item:
            event = development_event(event)
        key = "standby" if faults.standby and event.key == "messaging" else event.key
        own_id = chat.account.user_id
        swapped = faults.swapped_entry_id and event.kind in {"postback", "referral"}
        body = envelope(chat.id if swapped else own_id, key, [event.item], self._timing.now())
        if self._is_told(chat.account, event.field):
            self.push(body, lane=chat.id, kind=event.kind, message_id=event.message_id)

    def _is_told(self, account: Account, field: str) -> bool:
        return bool(account.subscribed) and not self._switches.now.unsubscribed and field in self.fields

    def push(self, body: Json, *, lane: str, kind: str, message_id: str = "") -> str | None:
        """Sign and hand over; None when the app has no callback."""
        url = self._postman.callback.url
        if not url:
            return None
        wrapped = [body] if self._switches.now.array_body else body
        raw = encoded(wrapped, escape_slashes=self._settings.escape_slashes)
        push_id = f"ig-{secrets.token_hex(8)}"
        headers = self._signer.headers(raw)
        self._postman.send(Push(push_id, url, lane, message_id, kind, raw, headers))
        return push_id

    def edges(self) -> Edges:
        return {
            ("POST", "subscribed_apps"): self._subscribe,
            ("GET", "subscribed_apps"): self._list,
            ("DELETE", "subscribed_apps"): self._unsubscribe,
        }

    async def _subscribe(self, call: Call) -> Json:
        """`subscribed_fields` is required (from memory); a Page refuses `messaging_seen` (§13.1)."""
        self._check(call)
        given = call.params.get("subscribed_fields", "")
        named = given if isinstance(given, list) else str(given).split(",")
        fields = tuple(str(field).strip() for field in named if str(field).strip())
        allowed = FIELDS - {"messaging_seen"} if self._settings.flavour == "facebook" else FIELDS
        wrong = [field for field in fields if field not in allowed]
        if wrong or not fields:
            invalid(f"Param subscribed_fields must be among {', '.join(sorted(allowed))}")
        call.account.subscribed = fields
        return {"success": True}

    async def _list(self, call: Call) -> Json:
        """The shape is from memory (§13.1)."""
        self._check(call)
        fields = list(call.account.subscribed)
        app = {"id": self._settings.app_id, "name": "sandbox", "subscribed_fields": fields}
        return {"data": [app] if fields else []}

    async def _unsubscribe(self, call: Call) -> Json:
        self._check(call)
        call.account.subscribed = ()
        return {"success": True}

    def _check(self, call: Call) -> None:
        if not call.account.is_called(call.node, self._settings.flavour):
            no_such_object(call.node)
        if "messages" not in call.account.permissions:
            fail(10, "Application does not have permission for this action")
        self._limits.other(call.account)
