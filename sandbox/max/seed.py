"""A phone-repair shop's bot, and people who may write."""

from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Person

CUSTOMERS = ("Анна", "Борис", "Марина")
DESCRIPTION = "Ремонт телефонов и ноутбуков"


def bot(settings: MaxSandboxSettings) -> Person:
    return Person(settings.bot_id, settings.bot_name, username=settings.bot_username, is_bot=True)
