"""From rows of the store to what agents see. Pure."""

from collections.abc import Sequence
from datetime import datetime

from core.errors import Rejected
from core.messages import Contact, Location, Media
from orchestrator.appeal_changes import Entry, Note
from orchestrator.appeals import Appeal, AppealView
from orchestrator.history import MessageView
from orchestrator.hub_files import links, transcript, turn_files, voice_note
from orchestrator.hub_models import (
    AppealDetails,
    AppealLine,
    Delivery,
    HistoryLine,
    JournalEntry,
    NoteLine,
    TurnMessage,
    TurnOffer,
)
from orchestrator.media_links import ShowsMedia
from orchestrator.reach import NoWay
from orchestrator.store import outbound
from orchestrator.turns import Lease, TurnView
from orchestrator.ways import Way

_NEXT_STEP = "Answer all messages in one reply(turn_id, lease_token, text); or skip_turn."
_ELSEWHERE = "This channel has no way back: your reply goes to the client's chat on {channel}."
_PERHAPS = "This channel has no way back and {reason}: reply all the same, you hear when it cannot be sent."
_NO_WAY_BACK = "This channel has no way back and {reason}: note what they want, then skip_turn."
_LONGEST_QUOTE = 300
_EVENT_WORDS = {"reaction": "[reaction]", "postback": "[button]"}
_KIND_WORDS = {
    "voice": "[voice note, not transcribed]",
    "image": "[photo]",
    "video": "[video]",
    "document": "[file]",
    "location": "[location]",
    "contact": "[contact]",
    "sticker": "[sticker]",
    "mixed": "[several attachments]",
}


def offer(view: TurnView, lease_seconds: float, way: Way | NoWay | None, files: ShowsMedia) -> TurnOffer:
    """A leased turn with everything needed to answer it; `way` None: in its own chat."""
    turn, appeal = view.turn, view.appeal
    return TurnOffer(
        status="turn",
        turn_id=str(turn.id),
        lease_token=token_of(Lease(turn.id, turn.lease_token), turn.latest_message_id or 0),
        lease_seconds=round(lease_seconds),
        channel=turn.channel,
        account=turn.account,
        chat_id=turn.external_chat_id,
        can_reply=way is None or isinstance(way, Way) or way.passing,
        replies_via=way.channel if isinstance(way, Way) else "",
        client_id=str(view.client.id),
        client_name_untrusted=view.client.name or "",
        client_phone=view.client.phone or "",
        appeal_id=str(appeal.id),
        ad_title_untrusted=appeal.ad_title,
        ad_price_untrusted=appeal.ad_price,
        ad_url_untrusted=appeal.ad_url,
        messages=[message_view(message, files) for message in view.messages],
        history=[history_line(message, files) for message in view.history],
        next_step=_next_step(way),
    )


def _next_step(way: Way | NoWay | None) -> str:
    if isinstance(way, NoWay):
        return (_PERHAPS if way.passing else _NO_WAY_BACK).format(reason=way.reason)
    return f"{_ELSEWHERE.format(channel=way.channel)} {_NEXT_STEP}" if way else _NEXT_STEP


def token_of(lease: Lease, latest: int) -> str:
    """The lease token an agent carries: the lease, and the newest message or change that it was shown."""
    return f"{lease.token}.{latest}"


def lease_of(turn_id: str, lease_token: str) -> tuple[Lease, int | None]:
    """The lease and the newest message or change seen; Rejected for what is no token of ours."""
    token, _, seen = lease_token.partition(".")
    if not token.isdecimal() or not (seen or "0").isdecimal():
        raise Rejected("lease_token is not one that wait_for_turn gave.")
    return Lease(int(turn_id), int(token)), int(seen) if seen else None


def message_view(message: MessageView, files: ShowsMedia) -> TurnMessage:
    """A customer's message; a deleted one shows that it was, not what it said."""
    media = Media() if message.deleted_at else files.shown(message)
    pressed = message.event == "postback"
    return TurnMessage(
        message_id=message.external_message_id,
        type="deleted" if message.deleted_at else "button_press" if pressed else message.message_type,
        text_untrusted="" if message.deleted_at else message.text,
        image_urls=[image.url for image in media.images if image.url],
        voice_url=media.voice_url or "",
        voice_note="" if message.deleted_at else voice_note(message),
        voice_transcript_untrusted="" if message.deleted_at else transcript(message),
        has_video=media.has_video,
        has_document=media.has_document,
        files=turn_files(media),
        locations_untrusted=[place_words(one) for one in media.locations],
        contacts_untrusted=[contact_words(one) for one in media.contacts],
        sent_at=iso(message.sent_at),
        edited=message.edited_at is not None and message.deleted_at is None,
        reply_to=message.reply_to,
        reply_to_text_untrusted=message.quoted[:_LONGEST_QUOTE],
    )


def place_words(place: Location) -> str:
    """A place on the map in one line."""
    return ", ".join(filter(None, (str(place.latitude), str(place.longitude), place.title)))


def contact_words(contact: Contact) -> str:
    """A shared address-book card in one line."""
    return " ".join(filter(None, (contact.name, contact.phone)))


def history_line(message: MessageView, files: ShowsMedia) -> HistoryLine:
    """An earlier message in one line; media is named where there are no words."""
    return HistoryLine.model_validate(
        {
            "sender": message.sender,
            "text_untrusted": _deleted(message.deleted_at) if message.deleted_at else _line(message),
            "file_urls": [] if message.deleted_at else links(files.shown(message)),
            "sent_at": iso(message.sent_at),
        }
    )


def _deleted(at: datetime) -> str:
    return f"[deleted at {iso(at)}]"


def _edited(at: datetime, first: str) -> str:
    """When the words became what they are: an answer before it was to other ones."""
    return f"[edited at {iso(at)}{f', before: {first[:_LONGEST_QUOTE]}' if first else ''}]"


def _line(message: MessageView) -> str:
    """The words, what stands for media without words, and what was done to it: edits, reactions, presses."""
    media = message.media
    places = [*map(place_words, media.locations), *map(contact_words, media.contacts)]
    said = message.text if message.text.strip() else transcript(message)
    kind = _EVENT_WORDS.get(message.event, "") if said else _KIND_WORDS.get(message.message_type, "")
    reaction = message.meta.get("reaction", "") if message.event != "reaction" else ""
    buttons = " | ".join(map(str, message.meta.get("buttons", ())))
    shown = (
        kind,
        said,
        ", ".join(places),
        f"[buttons: {buttons}]" if buttons else "",
        f"[reaction: {reaction}]" if reaction else "",
        _edited(message.edited_at, message.meta.get("original_text", "")) if message.edited_at else "",
    )
    return " ".join(filter(None, shown))


def appeal_line(appeal: Appeal) -> AppealLine:
    """An appeal in a list."""
    return AppealLine(
        appeal_id=str(appeal.id),
        client_id=str(appeal.client_id),
        client_name_untrusted=appeal.client_name,
        channel=appeal.channel,
        account=appeal.account,
        chat_id=appeal.external_chat_id,
        status=appeal.status,
        priority=appeal.priority,
        tags_untrusted=appeal.tags,
        snoozed_until=iso(appeal.snoozed_until) if appeal.snoozed_until else "",
        ad_title_untrusted=appeal.ad_title,
        opened_at=iso(appeal.opened_at),
        updated_at=iso(appeal.updated_at),
    )


def note_line(note: Note) -> NoteLine:
    """What a colleague noted."""
    return NoteLine(by=note.author, text_untrusted=note.text, at=iso(note.at))


def journal_entry(entry: Entry) -> JournalEntry:
    """One change of an appeal's status."""
    return JournalEntry(
        at=iso(entry.at),
        by=entry.actor,
        event=entry.event,
        from_status=entry.from_status,
        to_status=entry.to_status,
        reason_untrusted=entry.reason,
    )


def appeal_details(view: AppealView, files: ShowsMedia, notes: Sequence[NoteLine] = ()) -> AppealDetails:
    """An appeal with its client, its last messages and notes."""
    line = appeal_line(view.appeal)
    return AppealDetails(
        **line.model_dump(),
        client_phone=view.client.phone or "",
        ad_price_untrusted=view.appeal.ad_price,
        ad_url_untrusted=view.appeal.ad_url,
        reopened_at=iso(view.appeal.reopened_at) if view.appeal.reopened_at else "",
        close_reason_untrusted=view.appeal.close_reason,
        notes=list(notes),
        messages=[history_line(message, files) for message in view.messages],
    )


def delivery_view(delivery: outbound.Delivery) -> Delivery:
    """Where an outgoing message is."""
    return Delivery(
        delivery_id=str(delivery.id),
        state=delivery.state,
        channel=delivery.channel,
        account=delivery.account,
        chat_id=delivery.external_chat_id,
        attempts=delivery.attempts,
        vendor_message_ids=delivery.vendor_message_ids,
        error_code=delivery.error_code,
        error_detail_untrusted=delivery.error_detail,
        created_at=iso(delivery.created_at),
        send_at=iso(delivery.send_at) if delivery.send_at else "",
        sent_at=iso(delivery.sent_at) if delivery.sent_at else "",
    )


def iso(moment: datetime) -> str:
    """A time as agents see it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
