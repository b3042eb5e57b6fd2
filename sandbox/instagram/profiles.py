"""Profiles of customers and of the account itself (contract §9)."""

from sandbox.instagram.calls import Call
from sandbox.instagram.errors import fail, no_such_object
from sandbox.instagram.fields import fields_of
from sandbox.instagram.limits import Limits
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Chat, Json, Shop
from sandbox.media import MediaShelf, made_up_picture

CUSTOMER = {
    "id",
    "name",
    "username",
    "profile_pic",
    "follower_count",
    "is_user_follow_business",
    "is_business_follow_user",
    "is_verified_user",
}
OWN = {"id", "user_id", "username", "name", "account_type", "profile_picture_url"}


class Profiles:
    """Without `fields` a customer shows id and name, the account its id (both not told)."""

    def __init__(
        self, settings: InstagramSandboxSettings, shop: Shop, shelf: MediaShelf, limits: Limits
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._shelf = shelf
        self._limits = limits

    def node(self, call: Call) -> Json:
        self._limits.other(call.account)
        if call.account.is_called(call.node, self._settings.flavour) or call.node == call.account.user_id:
            return self._own(call)
        chat = self._shop.chats.get(call.node)
        if chat is None or chat.account is not call.account:
            no_such_object(call.node)
        return self._customer(call, chat)

    def _own(self, call: Call) -> Json:
        """`id` is not `user_id` (§3); in flavour B `me` is the Page."""
        if "basic" not in call.account.permissions:
            fail(10, "Application does not have permission for this action")
        fields, account = fields_of(call.text("fields"), OWN, "id"), call.account
        page = self._settings.flavour == "facebook" and call.node != account.user_id
        made: Json = {
            "id": account.page_id if page else account.scoped_id,
            "user_id": account.user_id,
            "username": account.username,
            "name": account.name,
            "account_type": "BUSINESS",
            "profile_picture_url": self._picture() if "profile_picture_url" in fields else None,
        }
        shown = {name: made[name] for name in dict.fromkeys((*fields, "id"))}
        return {"data": [shown]} if self._settings.wrapped_me and call.node == "me" else shown

    def _customer(self, call: Call, chat: Chat) -> Json:
        """Only after the person has written, and not once they blocked the business."""
        person = chat.person
        if person.blocked:
            no_such_object(call.node)
        if not chat.consent:
            fail(self._settings.consent_code, "User consent is required to access user profile")
        fields = fields_of(call.text("fields"), CUSTOMER, "name")
        made: Json = {
            "id": person.id,
            "name": person.name,
            "username": person.username,
            "profile_pic": self._picture() if "profile_pic" in fields else None,
            "follower_count": person.follower_count,
            "is_user_follow_business": person.follows_business,
            "is_business_follow_user": person.followed_by_business,
            "is_verified_user": person.verified,
        }
        return {name: made[name] for name in dict.fromkeys((*fields, "id"))}

    def _picture(self) -> str:
        return self._shelf.put(made_up_picture(96, 96), lives=self._settings.picture_lives)
