"""Session switches, carried out on the profiles."""

from collections.abc import Collection

from sandbox.whatsapp.account import Account
from sandbox.whatsapp.faults import WhatsAppFaults, hits
from sandbox.whatsapp.herald import Herald
from sandbox.whatsapp.profile import Profile
from sandbox.whatsapp.sessions import log_in, log_out, set_app_status

STATES = frozenset({"unpaid", "unsubscribed", "logged_out", "app_status"})


def apply_states(
    account: Account, herald: Herald, faults: WhatsAppFaults, named: Collection[str] = STATES
) -> None:
    """Bring every profile into the state that the named switches say."""
    for profile in account.profiles.values():
        if "unpaid" in named:
            _pay_or_expire(account, profile, unpaid=hits(faults.unpaid, profile.id))
        if "unsubscribed" in named and hits(faults.unsubscribed, profile.id):
            profile.webhook_url = ""
        if "logged_out" in named:
            _log_in_or_out(account, profile, herald, out=hits(faults.logged_out, profile.id))
        if "app_status" in named and profile.authorized:
            set_app_status(profile, faults.app_status, herald)


def _pay_or_expire(account: Account, profile: Profile, *, unpaid: bool) -> None:
    if unpaid and profile.paid:
        profile.paid_until = account.now()
    elif not unpaid and not profile.paid:
        account.pay(profile)


def _log_in_or_out(account: Account, profile: Profile, herald: Herald, *, out: bool) -> None:
    if out and profile.authorized:
        log_out(account, profile, herald, "logout from phone")
    elif not out and not profile.authorized:
        log_in(account, profile, herald)
