"""One content of every type a customer's message may have (contract §5)."""

from typing import Any

EMPTY = frozenset({"appCall", "file", "video", "deleted"})

SAMPLES: dict[str, dict[str, Any]] = {
    "text": {"text": "Здравствуйте, цена актуальна?"},
    "link": {
        "link": {
            "text": "смотрите example.test",
            "url": "https://example.test",
            "preview": {
                "title": "Пример",
                "description": "Описание",
                "domain": "example.test",
                "url": "https://example.test/",
                "images": None,
            },
        }
    },
    "item": {
        "item": {
            "title": "Экран 15.6",
            "item_url": "https://avito.ru/i/1",
            "image_url": "https://img.example.test/i.webp",
            "price_string": None,
        }
    },
    "location": {
        "location": {
            "lat": 55.75,
            "lon": 37.61,
            "title": "Москва, Лесная 7",
            "text": "Москва, Лесная 7",
            "kind": "house",
        }
    },
    "call": {"call": {"status": "missed", "target_user_id": 701_000_001}},
    "system": {
        "text": "Покупатель добавил объявление в избранное",
        "flow_id": "seller_audience_discount",
    },
    "deleted": {},
    "appCall": {},
    "file": {},
    "video": {},
}
