"""One content of every type a client's message may have (contract §4.2), and the kinds beside messages."""

from typing import Any, NamedTuple

from sandbox.whatsapp.files import VOICE_SECONDS


class Sample(NamedTuple):
    """`body` is None for the types without one."""

    body: str | None
    extra: dict[str, Any]


PHONE = "+79000000003"
CARD = f"BEGIN:VCARD\nVERSION:3.0\nFN:Пётр\nTEL;type=CELL;waid={PHONE[1:]}:{PHONE}\nEND:VCARD"
ANSWERS = ["да", "нет"]
UNSUPPORTED = "order"
"""A type that the contract does not list."""

SAMPLES: dict[str, Sample] = {
    "chat": Sample("Здравствуйте, сколько стоит диагностика?", {}),
    "image": Sample("", {"caption": ""}),
    "video": Sample("", {"caption": "Видео"}),
    "document": Sample("", {"file_name": "act.pdf", "caption": "Акт", "title": "Акт"}),
    "ptt": Sample("", {"file_name": "a.ogg", "length_seconds": VOICE_SECONDS}),
    "audio": Sample("", {"file_name": "song.mp3"}),
    "sticker": Sample("", {}),
    "location": Sample(
        None, {"location": {"latitude": 55.75, "longitude": 37.61, "description": "Лесная 7"}}
    ),
    "vcard": Sample(CARD, {"contact": {"display_name": "Пётр", "phone": PHONE}}),
    "reaction": Sample("👍", {}),
    "poll": Sample("Придёте завтра?", {"poll_options": ANSWERS}),
    "poll_vote": Sample(None, {"poll_options": ANSWERS, "selected_poll_variant": ANSWERS[:1]}),
    "buttons": Sample("Выберите: 1. Да 2. Нет", {}),
    "list": Sample("Услуги: id1 Экран, id2 Батарея", {}),
    "buttons_response": Sample("Да", {"button_response": True, "selectedButtonId": "1"}),
    "list_response": Sample("id2", {"list_response": True, "selected_list_id": "id2"}),
    UNSUPPORTED: Sample("", {}),
}
ALIASES = {
    "text": "chat",
    "photo": "image",
    "voice": "ptt",
    "contact": "vcard",
    "button": "buttons_response",
    "unsupported": UNSUPPORTED,
    "call": "incoming_call",
}
CALLS = frozenset({"incoming_call", "missed_call", "call_terminate", "call_accept"})
POINTING = frozenset({"reaction", "poll_vote", "edit"})
"""Types that are about another message and quote nothing."""
