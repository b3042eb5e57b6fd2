"""A phone-repair shop on Instagram: its posts, and people who may write."""

from sandbox.instagram.shop import Account

CUSTOMERS = ("Анна", "Борис", "Марина")
POSTS = {"18000000000000101": "Ремонт за 1 час", "18000000000000102": "До и после: экран iPhone"}


def further_account(number: int, username: str, name: str) -> Account:
    """The ids of one more account, after those of the first."""
    return Account(
        user_id=str(17841400000000001 + number),
        scoped_id=str(28900000000000001 + number),
        page_id=str(100000000000001 + number),
        username=username,
        name=name,
    )
