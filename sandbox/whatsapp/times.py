"""Wappi's three time formats (contract §2.2). Pure."""

from datetime import UTC, datetime, timedelta, timezone

MOSCOW = timezone(timedelta(hours=3))


def moscow(moment: float, digits: int = 0) -> str:
    """RFC 3339 with +03:00 and so many digits of fraction: most strings of REST and webhooks."""
    point = datetime.fromtimestamp(moment, MOSCOW)
    fraction = f".{f'{point.microsecond:06d}'.ljust(digits, '0')[:digits]}" if digits else ""
    return f"{point:%Y-%m-%dT%H:%M:%S}{fraction}+03:00"


def utc(moment: float, digits: int = 0) -> str:
    """RFC 3339 with Z: chat lists, tasks, the paid-until date."""
    point = datetime.fromtimestamp(moment, UTC)
    fraction = f".{point.microsecond:06d}"[: digits + 1] if digits else ""
    return f"{point:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def moment_of(text: str, zone: int) -> float | None:
    """`YYYY-mm-ddTHH:MM:ss` read at so many hours east of Greenwich, or None when it is no such string."""
    try:
        point = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone(timedelta(hours=zone)))
    except ValueError:
        return None
    return point.timestamp()
