"""What the customer's phone has at hand: files that really open, and one content of every other kind."""

from functools import cache
from pathlib import Path
from typing import Any

from sandbox.media import Media

_FILES = Path(__file__).with_name("recordings")

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 120]/Contents 4 0 R"
    b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n"
    b"4 0 obj<</Length 47>>stream\nBT /F1 18 Tf 20 60 Td (Receipt no. 42) Tj ET   \nendstream endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)

TYPES = {
    "photo_s.jpg": "image/jpeg",
    "photo_m.jpg": "image/jpeg",
    "photo_y.jpg": "image/jpeg",
    "voice.oga": "audio/ogg",
    "audio.mp3": "audio/mpeg",
    "video.mp4": "video/mp4",
    "video_note.mp4": "video/mp4",
    "animation.mp4": "video/mp4",
    "sticker.webp": "image/webp",
}


@cache
def sample(name: str) -> Media:
    if name == "receipt.pdf":
        return Media(PDF, "application/pdf")
    return Media((_FILES / name).read_bytes(), TYPES[name])


PHONE = "79030000000"
_PLACE = {"latitude": 55.7558, "longitude": 37.6173}
_WORDS = "Экран для телефона"
_STILL = {"file_id": "AgACAgIAAxkBAAMlive", "file_unique_id": "AQADlive", "width": 720, "height": 1280}
_LIVE = {
    "file_id": "BAACAgIAAxkBAAMlive",
    "file_unique_id": "AgADlive",
    "width": 720,
    "height": 1280,
    "duration": 3,
    "photo": [_STILL],
}

CONTENTS: dict[str, dict[str, Any]] = {
    "location": {"location": _PLACE},
    "live_location": {"location": {**_PLACE, "horizontal_accuracy": 20.0, "live_period": 900}},
    "venue": {"location": _PLACE, "venue": {"location": _PLACE, "title": "Метро", "address": "Лесная, 7"}},
    "contact": {"contact": {"phone_number": PHONE, "first_name": "Пётр"}},
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
    "poll": {
        "poll": {
            "id": "5400000000000000001",
            "question": "Когда удобно?",
            "options": [
                {"persistent_id": "1", "text": "Утром", "voter_count": 0},
                {"persistent_id": "2", "text": "Вечером", "voter_count": 0},
            ],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": True,
            "members_only": False,
        }
    },
    "game": {"game": {"title": "Игра", "description": "Игра", "photo": []}},
    "invoice": {
        "invoice": {
            "title": _WORDS,
            "description": _WORDS,
            "start_parameter": "screen",
            "currency": "RUB",
            "total_amount": 790_000,
        }
    },
    "story": {"story": {"chat": {"id": 900_000_009, "first_name": "Ольга", "type": "private"}, "id": 7}},
    "paid_media": {"paid_media": {"star_count": 5, "paid_media": [{"type": "preview"}]}},
    "checklist": {"checklist": {"title": "Что починить", "tasks": [{"id": 1, "text": "Экран"}]}},
    "live_photo": {"live_photo": _LIVE, "photo": [_STILL]},
    "rich_message": {"rich_message": {"blocks": [{"type": "paragraph", "text": _WORDS}]}},
}
"""Contents beside text and files; the fields of polls and of the last two are aiogram 3.31.0's."""
