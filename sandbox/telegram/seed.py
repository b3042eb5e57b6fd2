"""A phone-repair shop: its bot, its owner, a group, and people who may write."""

from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.shop import Chat, Connection, Person

CUSTOMERS = ("Анна", "Борис", "Марина")
OWNER = 800_000_001
GROUP = -4_100_000_001
CONNECTION = "bcAAAAexample"
BOT_TOPIC, BUSINESS_TOPIC, GROUP_TOPIC = 1, 2, 3
TOPICS = [
    {"id": BOT_TOPIC, "title": "Бот мастерской", "note": None},
    {"id": BUSINESS_TOPIC, "title": "Личный аккаунт мастерской", "note": "Telegram Business"},
    {"id": GROUP_TOPIC, "title": "Клиенты мастерской", "note": "группа"},
]


def bot(settings: TelegramSandboxSettings) -> Person:
    return Person(settings.bot_id, settings.first_name, username=settings.username, is_bot=True)


def connection(now: float) -> Connection:
    return Connection(CONNECTION, Person(OWNER, "Иван", username="remont_pro", language="ru"), int(now))


def group() -> Chat:
    return Chat(GROUP, "group", title="Клиенты мастерской", last_id=100)
