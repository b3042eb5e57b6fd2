"""The address of an account's webhook: completed from what an operator knows, shown without its secret."""

from urllib.parse import SplitResult, urlsplit

from core.errors import Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName


class WebhookAddress:
    """`/webhook/{channel}/{account}`, with the secret behind it where the address itself is the proof."""

    def __init__(self, channel: ChannelName, account: AccountId, secret: str = "") -> None:
        self._channel = channel
        self._above = f"/webhook/{channel}"
        self._account = f"{self._above}/{account}"
        self._secret = secret
        self._path = f"{self._account}/{secret}" if secret else self._account
        self._ends = (self._path, self._above) if account == DEFAULT_ACCOUNT else (self._path,)

    def completed(self, url: str) -> str:
        """What the vendor shall call: an address that ends at the host, at the channel or at the account is
        led on to us; any other stays as it is. Raises Rejected for what nobody can call."""
        parts = self.parsed(url)
        path = parts.path.rstrip("/")
        if not parts.query:
            for known in (self._path, self._account, self._above):
                if path.endswith(known):
                    return _with_path(parts, path.removesuffix(known) + self._path)
            if not path:
                return _with_path(parts, self._path)
        return url

    def parsed(self, url: str) -> SplitResult:
        """The parts of an address that can be called. Raises Rejected."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            said = "The webhook's address is not an address."
            raise Rejected(said, channel=self._channel) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            said = "The webhook's address must start with https:// and a host."
            raise Rejected(said, channel=self._channel)
        return parts

    def is_ours(self, url: str) -> bool:
        """Whether a delivery there would reach this account."""
        if self._secret:
            return self._secret in url.split("/")
        return _path_of(url).endswith(self._ends)

    def shown(self, url: str) -> str:
        """The address without what may be secret in it; of foreign paths nothing is shown."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return "***"
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if not self._secret:
            return f"{place}{parts.path}" if self.is_ours(url) and not parts.query else f"{place}/***"
        head, found, rest = parts.path.partition(f"{self._above}/")
        account, _, secret = rest.partition("/")
        return f"{place}{head}{found}{account}/***" if secret else f"{place}/***"


def _with_path(parts: SplitResult, path: str) -> str:
    return parts._replace(path=path, fragment="").geturl()


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""
