"""A phone-repair shop: its account, its ads, and people who may write."""

from sandbox.avito.shop import Ad, Person

CUSTOMERS = ("Анна", "Борис", "Марина")


def account(number: int) -> Person:
    return Person(number, "Мастерская «Эльдорадо»")


def ads() -> list[Ad]:
    place = "https://avito.ru/moskva/predlozheniya_uslug"
    return [
        Ad(
            3_550_001_234, "Замена экрана iPhone", "4 500 ₽", 4500, f"{place}/zamena_ekrana_iphone_3550001234"
        ),
        Ad(
            3_550_001_235,
            "Замена аккумулятора Samsung",
            "2 900 ₽",
            2900,
            f"{place}/akkumulyator_samsung_3550001235",
        ),
        Ad(3_550_001_236, "Ремонт ноутбуков", "от 1 500 ₽", 1500, f"{place}/remont_noutbukov_3550001236"),
        Ad(
            3_550_001_237,
            "Диагностика телефона",
            "Бесплатно",
            None,
            f"{place}/diagnostika_telefona_3550001237",
        ),
        Ad(
            3_550_001_238,
            "iPhone 12, 128 ГБ, б/у",
            "24 990 ₽",
            24990,
            "https://avito.ru/moskva/telefony/iphone_12_128_gb_3550001238",
            status="removed",
            status_id=20,
        ),
    ]
