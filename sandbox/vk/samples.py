"""Attachments that are neither photo, document nor voice: one sample of each (contract §4.4)."""

from collections.abc import Callable
from typing import Any

from sandbox.media import made_up_picture
from sandbox.vk.media_objects import MediaObjects
from sandbox.vk.seed import post, product

LOCATION = {
    "type": "point",
    "coordinates": {"latitude": 55.75, "longitude": 37.61},
    "place": {"title": "Москва, Лесная 7", "city": "Москва", "country": "Россия"},
}

POLL = {
    "question": "Когда удобно?",
    "answers": [{"id": 1, "text": "Утром", "votes": 0, "rate": 0}],
    "votes": 0,
    "created": 1_763_700_000,
    "end_date": 0,
    **dict.fromkeys(("multiple", "closed", "is_board", "disable_unvote"), False),
    **dict.fromkeys(("can_edit", "can_report", "can_share"), False),
    "can_vote": True,
}


def _preview(objects: MediaObjects) -> list[dict[str, Any]]:
    link = objects.link(made_up_picture())
    return [{"url": f"{link}/640.png", "width": 640, "height": 480}]


def _video(objects: MediaObjects, owner: int) -> dict[str, Any]:
    """A community gets no link to the film itself."""
    image = _preview(objects)
    return {"id": 71, "owner_id": owner, "title": "Видео", "duration": 12, "image": image, "access_key": "k"}


def _sticker(objects: MediaObjects, _: int) -> dict[str, Any]:
    images = _preview(objects)
    shown = {"images": images, "images_with_background": images}
    return {"inner_type": "base_sticker_new", "product_id": 1, "sticker_id": 55, **shown}


def _graffiti(objects: MediaObjects, owner: int) -> dict[str, Any]:
    return objects.graffiti(owner, made_up_picture(200, 150))


def _still(fields: dict[str, Any]) -> Callable[[MediaObjects, int], dict[str, Any]]:
    return lambda _, owner: {"id": 81, "owner_id": owner, **fields}


SAMPLES: dict[str, Callable[[MediaObjects, int], dict[str, Any]]] = {
    "video": _video,
    "sticker": _sticker,
    "graffiti": _graffiti,
    "market": lambda _, owner: product(91, -abs(owner)),
    "wall": lambda _, owner: post(92, owner),
    "link": lambda _, owner: {
        "url": "https://example.test/screens",
        "title": "Экраны",
        "caption": "example.test",
        "description": "Описание",
    },
    "wall_reply": _still({"from_id": 77_001, "post_id": 92, "date": 1_763_700_000, "text": "Комментарий"}),
    "poll": _still(POLL),
    "gift": lambda _, owner: {"id": 82, "thumb_256": "https://img.example.test/gift.png"},
    "story": _still({"date": 1_763_700_000, "expires_at": 1_763_786_400, "is_expired": False}),
    "call": lambda _, owner: {
        "initiator_id": owner,
        "receiver_id": 0,
        "state": "canceled_by_receiver",
        "time": 1_763_700_000,
    },
    "audio": _still({"artist": "Хор", "title": "Песня", "duration": 180, "url": ""}),
    "article": _still({"title": "Статья", "url": "https://example.test/article"}),
    "podcasts": _still({"title": "Подкаст", "url": ""}),
    "video_playlist": _still({"title": "Плейлист", "count": 3}),
}
