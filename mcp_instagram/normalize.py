"""Instagram's JSON -> our words. Pure: no network, no clock. Facts: vendor contract §8, §9, §13.

message            the customer wrote, sent or shared something
postback           the customer tapped a quick reply, an icebreaker or a button
operator_message   the account itself wrote: our echo, or a person in Instagram's app (`Arrival.own`)
edit, delete, read, reaction   of the message whose id it has; `own` when the business did it
notice             a click on a link or ad, a handover, what another app answers (standby): never answered

The dashboard's test becomes nothing, other accounts' items `foreign`, the rest a reason; nothing raises.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from core.channel import Arrival, ChatInfo, Normalized
from core.ids import AccountId, ChannelName, ChatId, MessageId, UserId
from core.messages import Event, File, Image, IncomingMessage, Media, Meta
from core.vendor_json import UnreadableError, first_mistake, storable
from mcp_instagram import schemas as wire

CHANNEL = ChannelName("instagram")
#: The fingerprint of every picture: Instagram stores it anew, so its bytes cannot be compared.
IMAGE_MARK = "image"
#: Marks of what we send beside texts, by Instagram's word for it.
MARKS = {"image": IMAGE_MARK, "audio": "voice", "video": "video", "file": "document"}
#: Entry of the dashboard's Test button (§13.5).
TEST_ENTRY = "0"
UNSEEN = "Сообщение, которого Instagram не показывает программам"

Fingerprint = Callable[[str], str]


class Said(NamedTuple):
    """A message's words and attachments; `mark` is what our own send of it would have registered."""

    text: str = ""
    media: Media = Media()
    typed: str = ""
    mark: str = ""


class _Scene(NamedTuple):
    """Whose item it is, and when; `me` is the business, `them` the customer."""

    me: str
    them: str
    own: bool
    at: datetime
    standby: bool
    raw: dict[str, Any]

    @property
    def ms(self) -> int:
        return round(self.at.timestamp() * 1000)


class _Told(NamedTuple):
    """One event of an item, before it is put into our words; `key` tells it from others of its message."""

    event: Event
    message_id: str
    key: str
    said: Said = Said()
    reply_to: str | None = None
    referral: wire.Referral | None = None


def normalize(body: Any, *, user_id: str | None, account: AccountId, fingerprint: Fingerprint) -> Normalized:
    """The meaning of a parsed delivery (§13.5); `user_id` None = not known yet, any account is believed.

    `{}` is the owner's test of the address and means nothing. Raises nothing.
    """
    if isinstance(body, dict) and not body:
        return Normalized()
    reader = _Reader(user_id, account, fingerprint)
    for one in body if isinstance(body, list) and body else [body]:
        reader.delivery(one)
    reasons = "; ".join(dict.fromkeys(reader.reasons))[:300]
    return Normalized(tuple(reader.arrivals), reasons, frozenset(reader.foreign))


class _Reader:
    """Reads a batch item by item: what one spoils, the others do not suffer from."""

    def __init__(self, user_id: str | None, account: AccountId, fingerprint: Fingerprint) -> None:
        self._user_id = user_id
        self._account = account
        self._fingerprint = fingerprint
        self.arrivals: list[Arrival] = []
        self.reasons: list[str] = []
        self.foreign: set[str] = set()

    def delivery(self, body: Any) -> None:
        entries = body.get("entry") if isinstance(body, dict) else None
        if not isinstance(entries, list) or not entries or body.get("object") != CHANNEL:
            self.reasons.append("this is no delivery of Instagram: object and entry are missing or wrong")
            return
        for entry in entries:
            self._entry(entry if isinstance(entry, dict) else {})

    def _entry(self, entry: dict[str, Any]) -> None:
        """Items stand in messaging or standby; `changes`, and the flat field and value, hold the rest."""
        whose = _text_of(entry.get("id"))
        if whose == TEST_ENTRY:
            return
        items = [(key, item) for key in ("messaging", "standby") for item in _rows(entry.get(key))]
        changes = [*_rows(entry.get("changes")), *([entry] if "field" in entry else [])]
        if not items and not changes:
            self.reasons.append(f"entry holds neither items nor changes, but {_names(entry)}")
        for key, item in items:
            self._item(item, entry, standby=key == "standby")
        for change in changes:
            self._change(change if isinstance(change, dict) else {}, entry)

    def _change(self, change: dict[str, Any], entry: dict[str, Any]) -> None:
        """Comments and mentions are no messages; the Test button puts an item here (§13.5)."""
        value, field, whose = change.get("value"), _text_of(change.get("field")), _text_of(entry.get("id"))
        if isinstance(value, dict) and "sender" in value and "recipient" in value:
            self._item(value, entry, standby=False)
        elif self._user_id and whose and whose != self._user_id:
            self.foreign.add(whose)
        else:
            self.reasons.append(f"a change of {field[:40]!r} is no message")

    def _item(self, item: Any, entry: dict[str, Any], *, standby: bool) -> None:
        try:
            raw = storable(item if isinstance(item, dict) else {})
            scene = self._scene(raw, entry, standby=standby)
            if scene:
                self.arrivals += [self.arrival(told, scene) for told in _told(scene)]
        except ValidationError as error:
            self.reasons.append(first_mistake(error, "item"))
        except UnreadableError as error:
            self.reasons.append(str(error))

    def _scene(self, raw: dict[str, Any], entry: dict[str, Any], *, standby: bool) -> _Scene | None:
        """None for another account's item. A tap's entry may be the wrong one: the parties tell (§13.5)."""
        parties = wire.Parties.model_validate(raw)
        sender, recipient = parties.sender, parties.recipient
        message = raw.get("message")
        echo = isinstance(message, dict) and message.get("is_echo") is True
        whose = _text_of(entry.get("id"))
        of_entry = sender == whose and not _MISLABELLED & raw.keys()
        guess = (sender if echo or of_entry else recipient) or whose
        me = self._user_id if self._user_id in (sender, recipient) else guess
        if self._user_id and me and me != self._user_id:
            self.foreign.add(me[:64])
            return None
        own = echo or sender == me
        them = recipient if own and sender == me else sender
        if not me or not them:
            raise UnreadableError(f"{_names(raw)} without sender (an app in development mode?)")
        at = parties.timestamp or wire.moment_or_none(entry.get("time"))
        if at is None:
            raise UnreadableError("no time: timestamp and time are missing or wrong")
        return _Scene(me, them, own, at, standby, raw)

    def arrival(self, told: _Told, scene: _Scene) -> Arrival:
        event = _event(told.event, scene)
        own = event == "operator_message"
        referral = told.referral or wire.Referral()
        message = IncomingMessage(
            channel=CHANNEL,
            account=self._account,
            event=event,
            external_user_id=UserId(scene.me if own else scene.them),
            external_chat_id=ChatId(wire.Customer(id=scene.them).id),
            external_message_id=MessageId(told.message_id),
            text=told.said.text,
            timestamp=scene.at,
            media=told.said.media,
            meta=Meta(ad_channel=CHANNEL, ad_id=referral.about, ad_title=referral.title, raw=scene.raw),
            reply_to=MessageId(told.reply_to) if told.reply_to else None,
            own=scene.own and event in _CHANGES,
        )
        mark = told.said.mark or (self._fingerprint(told.said.typed) if told.said.typed else "")
        return Arrival(message, f"{told.message_id}:{told.key}", own, mark if own else "")


#: Items whose entry may be named after the customer (§13.5).
_MISLABELLED = frozenset({"postback", "referral"})
#: What happens to a message. Those of the business are a person's: no call of ours comes back as one.
_CHANGES = frozenset({"edit", "delete", "reaction"})


def _event(event: Event, scene: _Scene) -> Event:
    """What another app handles is only looked at; a note to oneself concerns nobody."""
    if event not in ("message", "postback"):
        return event
    if scene.own:
        return "notice" if scene.me == scene.them else "operator_message"
    return "notice" if scene.standby else event


def _told(scene: _Scene) -> list[_Told]:
    """The events of an item: one as a rule, each under its own key (§13.6)."""
    found = [reader(scene.raw[key], scene) for key, reader in _READERS.items() if key in scene.raw]
    found += [_notice(key, words, scene) for key, words in _NOTICES.items() if key in scene.raw]
    if not found:
        raise UnreadableError(f"unknown event: {_names(scene.raw)}")
    return found


def _notice(key: str, words: str, scene: _Scene, referral: wire.Referral | None = None) -> _Told:
    """What has no id of its own is named by its moment, which repeated deliveries have in common."""
    return _Told("notice", f"{key}:{scene.them}:{scene.ms}", "notice", Said(words), referral=referral)


def _message(given: Any, _: _Scene) -> _Told:
    """A quick reply's words are its title. An unsent message keeps its id."""
    message = wire.Message.model_validate(given)
    if message.is_deleted:
        return _Told("delete", message.mid, "delete")
    said, tapped = said_in(message), message.quick_reply
    if tapped and not said.text:
        said = said._replace(text=tapped.payload or "")
    event: Event = "postback" if tapped else "message"
    if not said.text and said.media.is_empty:
        if not message.referral:
            raise UnreadableError("message without content")
        said, event = Said(_by(message.referral)), "notice"
    replied = (message.reply_to or wire.ReplyTo()).mid
    return _Told(event, message.mid, "message", said, replied, message.referral)


def _postback(given: Any, scene: _Scene) -> _Told:
    """It shares its key with a message: the history shows it as one."""
    tap = wire.Tap.model_validate(given)
    said, message_id = Said(tap.title or tap.payload or ""), tap.mid or f"postback:{scene.them}:{scene.ms}"
    return _Told("postback", message_id, "message", said, referral=tap.referral)


def _reaction(given: Any, scene: _Scene) -> _Told:
    """Taken back, it has no words. A later one of the same kind is told by its time."""
    reaction = wire.Reaction.model_validate(given)
    taken = reaction.action == "unreact"
    text = "" if taken else reaction.emoji or reaction.reaction or ""
    who = scene.me if scene.own else scene.them
    key = f"reaction:{who}:{reaction.action}:{text}:{scene.ms}"
    return _Told("reaction", reaction.mid, key, Said(text))


def _edit(given: Any, scene: _Scene) -> _Told:
    """Number 0 announces a new message, as an app in development mode is told of it (§16 m)."""
    edit = wire.MessageEdit.model_validate(given)
    if edit.text is None:
        raise UnreadableError("message_edit without text (an app in development mode?)")
    said = Said(edit.text, typed=edit.text)
    if edit.num_edit == "0":
        return _Told("message", edit.mid, "message", said)
    return _Told("edit", edit.mid, f"edit:{edit.num_edit or scene.ms}", said)


def _came_by(given: Any, scene: _Scene) -> _Told:
    """A link or ad that was followed into a chat that exists: nothing is said yet."""
    referral = wire.Referral.model_validate(given)
    return _notice("referral", _by(referral), scene, referral)


def _by(referral: wire.Referral) -> str:
    name = referral.title or referral.ref or referral.about or referral.source
    return "Переход по ссылке или рекламе" + (f": {name}" if name else "")


_READERS: dict[str, Callable[[Any, _Scene], _Told]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "read": lambda given, _: _Told("read", wire.About.model_validate(given).mid, "read"),
    "message_edit": _edit,
    "referral": _came_by,
}
_NOTICES = {
    "optin": "Клиент подписался на сообщения",
    "pass_thread_control": "Диалог передан другой программе",
    "take_thread_control": "Диалог забрала другая программа",
    "request_thread_control": "Другая программа просит диалог",
    "policy_enforcement": "Предупреждение Instagram о правилах",
}


def said_in(message: wire.Message) -> Said:
    """The words and attachments of a message; what has no words of its own is named in Russian (§13.6)."""
    typed, files = message.text or "", message.attachments or []
    names = [f"{_NAMES[one.type]}: {one.title}".removesuffix(": ") for one in files if one.type in _NAMES]
    words = [typed, *names, UNSEEN if message.is_unsupported else ""]
    story = message.reply_to.story if message.reply_to else None
    replied = [wire.Attachment(type="story_reply", payload=wire.Payload(url=story.url))] if story else []
    mark = MARKS.get(files[0].type or "", "") if len(files) == 1 and not typed else ""
    media = _media([*files, *replied])
    return Said("\n".join(filter(None, words)), media, "" if files else typed, mark)


def _media(files: Sequence[wire.Attachment]) -> Media:
    """Links open without our token, and die: of stories after a day (§13.6)."""
    kinds: dict[str, list[wire.Attachment]] = {"image": [], "audio": [], "video": [], "file": []}
    for file in files:
        kinds[_SHOWN_AS.get(file.type or "", "file")].append(file)
    first, more = kinds["audio"][:1], kinds["audio"][1:]

    def filed(some: Sequence[wire.Attachment]) -> tuple[File, ...]:
        return tuple(File(url=one.url, kind=one.type or "attachment") for one in some)

    return Media(
        has_voice=bool(first),
        voice_url=first[0].url if first else None,
        has_images=bool(kinds["image"]),
        images=tuple(Image(url=file.url) for file in kinds["image"] if file.url),
        has_video=bool(kinds["video"]),
        videos=filed(kinds["video"]),
        has_document=bool(kinds["file"] or more),
        documents=filed([*kinds["file"], *more]),
    )


_SHOWN_AS = {"image": "image", "audio": "audio", "video": "video", "ig_reel": "video", "reel": "video"}
_NAMES = {
    **dict.fromkeys(["ig_post", "share"], "Публикация"),
    **dict.fromkeys(["ig_reel", "reel"], "Ролик"),
    **dict.fromkeys(["story", "ig_story"], "История"),
    "story_mention": "Отметка в истории",
    "ephemeral": "Исчезающее фото или видео",
}


def recovered(
    rows: Sequence[wire.Row], *, customer: str, user_id: str, account: AccountId, fingerprint: Fingerprint
) -> list[Arrival]:
    """Messages of the history (§8) as their webhooks would have told them, as far as it shows them.

    Who is not the customer is us, under whichever of our ids (§3): our own words must not be answered.
    """
    reader = _Reader(user_id, account, fingerprint)
    for row in rows:
        if row.author and row.created_time:
            raw = row.model_dump(mode="json", by_alias=True, exclude_none=True)
            own = row.author != customer
            scene = _Scene(user_id, customer, own, row.created_time, standby=False, raw=raw)
            told = _Told("message", row.id, "message", shown(row), row.quoted)
            with suppress(ValidationError):
                reader.arrivals.append(reader.arrival(told, scene))
    return reader.arrivals


def chat_info(conversation: wire.Conversation, user_id: str, *, name: str = "") -> ChatInfo | None:
    """§8: a chat is named by its customer; None when nobody is named."""
    customer = conversation.customer(user_id)
    if customer is None or customer.id is None:
        return None
    last = conversation.messages.rows[:1] if conversation.messages else []
    return ChatInfo(
        chat_id=customer.id,
        client_name_untrusted=name or customer.username or "",
        client_user_id=customer.id,
        last_message_untrusted=shown(last[0]).text if last else "",
        updated_at=conversation.updated_time.isoformat() if conversation.updated_time else "",
    )


def shown(row: wire.Row) -> Said:
    """Of view-once and unknown messages the history shows nothing."""
    said = said_in(row.as_pushed)
    return said if said.text or not said.media.is_empty else Said(UNSEEN)


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text_of(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _names(item: dict[str, Any]) -> str:
    """What an item has beside its parties, without the customer's words."""
    return ", ".join(sorted(str(key)[:30] for key in item if key not in _ENVELOPE))[:120] or "nothing"


_ENVELOPE = frozenset({"sender", "recipient", "timestamp", "id", "time"})
