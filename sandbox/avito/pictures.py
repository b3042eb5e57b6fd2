"""Pictures in Avito's sizes (contract §3.6): small pictures lack the large ones."""

import secrets

from sandbox.avito.errors import invalid
from sandbox.media import Media, MediaShelf, image_size, image_type

SIZES = ((32, 32), (140, 105), (640, 480), (1280, 960))
LARGEST_FILE = 24 * 1024 * 1024
LARGEST_AREA = 75_000_000


def sizes_of(media: Media, shelf: MediaShelf) -> dict[str, str]:
    """Size to link; the two smallest always exist, the others only up to the picture's own size."""
    link, name = shelf.put(media), media.type.removeprefix("image/")
    width, height = image_size(media.content) or SIZES[-1]
    fitting = [box for box in SIZES if box in SIZES[:2] or (box[0] <= width and box[1] <= height)]
    return {f"{w}x{h}": f"{link}/{w}x{h}.{name}" for w, h in fitting}


def check_upload(content: bytes) -> Media:
    """The uploaded picture, or 400 for a wrong format, over 24 MB or over 75 megapixels."""
    if len(content) > LARGEST_FILE:
        invalid("the file is larger than 24 MB", {"uploadfile[]": "too large"})
    kind = image_type(content)
    if kind is None:
        invalid("the format must be JPEG, HEIC, GIF, BMP or PNG", {"uploadfile[]": "wrong format"})
    width, height = image_size(content) or (1, 1)
    if width * height > LARGEST_AREA:
        invalid("the picture is larger than 75 megapixels", {"uploadfile[]": "too large"})
    return Media(content, kind)


def new_image_id() -> str:
    return f"{secrets.randbelow(90_000) + 10_000}.{secrets.token_hex(6)}"
