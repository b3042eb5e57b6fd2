"""What a bot may attach (contract §3.2), turned into what readers of the message see (§3.1)."""

import hashlib
import re
from collections.abc import Callable
from typing import NoReturn

from sandbox.faults import Switchboard
from sandbox.max.errors import fail, invalid
from sandbox.max.faults import MaxFaults
from sandbox.max.files import Files, photo_id
from sandbox.max.keyboards import keyboard
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Json
from sandbox.max.uploads import Uploads

ALONE = {"audio", "file", "contact", "sticker"}
UPLOADED = {"image", "video", "audio", "file"}


class Attachments:
    """Reads the attachments of a call; one of `ALONE` tolerates nothing but a keyboard beside it."""

    def __init__(
        self,
        settings: MaxSandboxSettings,
        files: Files,
        uploads: Uploads,
        switches: Switchboard[MaxFaults],
    ) -> None:
        self._settings = settings
        self._files = files
        self._uploads = uploads
        self._switches = switches
        self._readers: dict[str, Callable[[Json], list[Json]]] = {
            "image": self._image,
            "video": lambda given: [self._uploaded("video", _payload(given))],
            "audio": lambda given: [self._uploaded("audio", _payload(given))],
            "file": lambda given: [self._uploaded("file", _payload(given))],
            "sticker": lambda given: [self._files.sticker(_text(_payload(given), "code"))],
            "contact": lambda given: [_contact(_payload(given))],
            "location": lambda given: [_location(given)],
            "share": lambda given: [_share(_payload(given))],
            "inline_keyboard": lambda given: [keyboard(_payload(given))],
        }

    def read(self, given: object) -> tuple[Json, ...]:
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            invalid("attachments: must be a list of objects")
        if len(given) > self._settings.most_attachments:
            invalid(f"attachments: size must be between 0 and {self._settings.most_attachments}")
        kinds = [str(one.get("type")) for one in given]
        self._check_company(kinds)
        if UPLOADED & set(kinds) and self._switches.now.not_ready:
            self._switches.now.not_ready -= 1
            _not_ready(next(kind for kind in kinds if kind in UPLOADED))
        return tuple(one for each in given for one in self._readers[each["type"]](each))

    def _check_company(self, kinds: list[str]) -> None:
        for kind in kinds:
            if kind not in self._readers:
                invalid(f"attachments: unknown type {kind}")
        company = [kind for kind in kinds if kind != "inline_keyboard"]
        if ALONE & set(company) and len(company) > 1:
            invalid(f"attachments: {', '.join(sorted(ALONE))} must be the only attachment")
        if len(kinds) - len(company) > 1:
            invalid("attachments: only one inline_keyboard is allowed")

    def _image(self, given: Json) -> list[Json]:
        """One of photos, url and token; a url is shown as given, nobody fetches it here."""
        payload = _payload(given)
        ways = [name for name in ("photos", "url", "token") if payload.get(name)]
        if not ways:
            invalid("No `photos`, `url` or `token` provided. Check payload.")
        if len(ways) > 1:
            invalid("Only one of `photos`, `url` and `token` is allowed. Check payload.")
        if ways == ["url"]:
            return [_by_address(_text(payload, "url"))]
        if ways == ["token"]:
            return [self._uploaded("image", payload)]
        photos = payload["photos"]
        if not isinstance(photos, dict) or not all(isinstance(one, dict) for one in photos.values()):
            invalid("photos: must map keys to tokens")
        return [self._uploaded("image", one) for one in photos.values()]

    def _uploaded(self, kind: str, payload: Json) -> Json:
        token = _text(payload, "token")
        if self._uploads.is_awaited(token):
            _not_ready(kind)
        stored = self._files.get(token)
        if stored is None or stored.kind != kind:
            invalid(f"attachments: unknown token of a {kind}")
        if not self._files.is_ready(stored):
            _not_ready(kind)
        return self._files.attachment(stored)


def vcard(name: str, phone: str) -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nTEL;TYPE=cell:{phone}\r\nFN:{name}\r\nEND:VCARD\r\n"


def _not_ready(kind: str) -> NoReturn:
    fail(400, f"Key: errors.process.attachment.{kind}.not.processed", "attachment.not.ready")


def _payload(given: Json) -> Json:
    payload = given.get("payload")
    if not isinstance(payload, dict):
        invalid(f"attachments: {given['type']} needs its payload")
    return payload


def _text(payload: Json, name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        invalid(f"attachments: {name} must be a text")
    return value


def _by_address(url: str) -> Json:
    if not re.match(r"https?://\S+$", url):
        invalid("attachments: url must be a web address")
    token = hashlib.sha256(url.encode()).hexdigest()
    return {"type": "image", "payload": {"photo_id": photo_id(token), "token": token, "url": url}}


def _contact(payload: Json) -> Json:
    """A name with a number, or a vCard as it is."""
    if not payload.get("vcf_info") and not payload.get("vcf_phone"):
        invalid("attachments: contact needs vcf_info or vcf_phone")
    card = payload.get("vcf_info") or vcard(str(payload.get("name") or ""), str(payload["vcf_phone"]))
    return {"type": "contact", "payload": {"vcf_info": str(card)}}


def _location(given: Json) -> Json:
    place = {name: given.get(name) for name in ("latitude", "longitude")}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in place.values()):
        invalid("attachments: location needs latitude and longitude beside its type")
    return {"type": "location", **place}


def _share(payload: Json) -> Json:
    known = {name: _text(payload, name) for name in ("url", "token") if payload.get(name) is not None}
    if not known:
        invalid("attachments: share needs url or token")
    return {"type": "share", "payload": known}
