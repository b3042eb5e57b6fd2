"""A phone-repair community: people who may write, one group chat, a product and a post."""

from sandbox.vk.community import CHATS_FROM, Community

NAME = "Мастерская «Эльдорадо»"
CUSTOMERS = ("Анна", "Борис", "Марина")
CHAT = CHATS_FROM + 1


def furnish(community: Community) -> None:
    """What is there before anybody writes."""
    members = [community.user(name).id for name in CUSTOMERS[:2]]
    chat = community.dialog(CHAT)
    chat.title, chat.members = "Заказ 214", members
    own = -community.id
    community.media[f"market{own}_1"] = product(1, own)
    community.media[f"wall{own}_1"] = post(1, own)


def product(number: int, owner: int) -> dict[str, object]:
    return {
        "id": number,
        "owner_id": owner,
        "title": "Замена экрана iPhone",
        "description": "С гарантией 6 месяцев",
        "price": {
            "amount": "450000",
            "currency": {"id": 643, "name": "RUB", "title": "₽"},
            "text": "4 500 ₽",
        },
        "thumb_photo": "https://img.example.test/market.jpg",
        "availability": 0,
        "category": {"inner_type": "market_market_category_nested", "id": 5018, "name": "Услуги"},
    }


def post(number: int, owner: int) -> dict[str, object]:
    return {
        "id": number,
        "owner_id": owner,
        "from_id": owner,
        "to_id": owner,
        "date": 1_763_700_000,
        "text": "Скидка на замену экранов до конца недели",
        "attachments": [],
        "access_key": "k1",
    }
