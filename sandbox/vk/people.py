"""Who is who: users, the community, what the key may (contract §1, §3.2)."""

from typing import Any

from sandbox.faults import Switchboard
from sandbox.media import MediaShelf, made_up_picture
from sandbox.vk.barriers import Barriers
from sandbox.vk.community import Community
from sandbox.vk.errors import wrong
from sandbox.vk.faults import VkFaults
from sandbox.vk.gate import Call, Method
from sandbox.vk.settings import VkSandboxSettings
from sandbox.vk.targets import check_group
from sandbox.vk.views import group_view, user_view

MOST_USERS, MOST_GROUPS = 1000, 500
BITS = {"messages": 4096, "photos": 4, "docs": 131_072, "manage": 262_144}


class People:
    def __init__(
        self,
        community: Community,
        barriers: Barriers,
        settings: VkSandboxSettings,
        switches: Switchboard[VkFaults],
        shelf: MediaShelf,
    ) -> None:
        self._community = community
        self._barriers = barriers
        self._settings = settings
        self._switches = switches
        self._shelf = shelf
        self._photo = ""

    def methods(self) -> dict[str, Method]:
        return {
            "users.get": self._users,
            "groups.getById": self._groups,
            "groups.getTokenPermissions": self._permissions,
            "messages.isMessagesFromGroupAllowed": self._allowed,
        }

    def _users(self, call: Call) -> list[dict[str, Any]]:
        """Ids and short names; the unknown simply are missing."""
        names = call.params.words("user_ids") or call.params.words("user_id")
        if len(names) > MOST_USERS:
            wrong(f"user_ids has too many elements, {MOST_USERS} at most")
        found = [user for name in names if (user := self._community.by_domain(name))]
        pictured = any(field.startswith("photo_") for field in call.params.words("fields"))
        photo = self._picture() if pictured else ""
        return [user_view(user, code=self._barriers.code(user.id), photo=photo) for user in found]

    def _picture(self) -> str:
        self._photo = self._photo or self._shelf.put(made_up_picture(200, 200))
        return self._photo

    def _groups(self, call: Call) -> dict[str, Any]:
        """An object since 5.139; without parameters the community of the key."""
        names = call.params.words("group_ids") or call.params.words("group_id")
        if len(names) > MOST_GROUPS:
            wrong(f"group_ids has too many elements, {MOST_GROUPS} at most")
        own = {str(self._community.id), f"club{self._community.id}"}
        shown = [group_view(self._community)] if not names or own & set(names) else []
        return {"groups": shown, "profiles": []}

    def _permissions(self, _: Call) -> dict[str, Any]:
        lacking = self._switches.now.missing_permissions
        held = [name for name in self._settings.permissions if name not in lacking]
        return {
            "mask": sum(BITS[name] for name in held),
            "permissions": [{"name": name, "setting": BITS[name]} for name in held],
        }

    def _allowed(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params, needed=True)
        code = self._barriers.code(call.params.required_number("user_id"))
        return {"is_allowed": int(code in {None, 950})}
