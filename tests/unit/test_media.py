"""Files to send: what they are is told by their bytes; what bytes do not tell must be of the right kind."""

import base64

import pytest

from core.capabilities import MediaKind, MediaLimit
from core.channel import MediaFile
from core.errors import Rejected
from core.filetypes import clean_name, extension_of, type_of_bytes
from core.media import FILE_MAX_BYTES, check_file, decode_base64, file_of, largest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
ZIP = b"PK\x03\x04" + bytes(40)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PICTURES = MediaLimit(types=("image/png", "image/jpeg"), max_bytes=1_000)
ANY = MediaLimit(max_bytes=1_000)


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"BM", "image/bmp"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypavif", "image/avif"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftyp3gp4", "video/3gpp"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x01\x42\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00AVI ", "video/x-msvideo"),
        (b"RIFF\x00\x00\x00\x00????", ""),
        (b"OggS", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xf1\x50", "audio/aac"),
        (b"%PDF-1.4", "application/pdf"),
        (b"%PDF", ""),
        (b"", ""),
    ],
)
def test_the_bytes_tell_the_type(head: bytes, media_type: str) -> None:
    assert type_of_bytes(head) == media_type


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_base64_becomes_a_picture_of_its_real_type(prefix: str) -> None:
    text = prefix + base64.encodebytes(PNG).decode()

    image = decode_base64(text, "image", PICTURES)

    assert (image.content, image.media_type, image.name) == (PNG, "image/png", "image.png")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%%%", "base64"),
        ("żółw", "base64"),
        ("A", "base64"),
        ("", "no picture"),
        (base64.b64encode(b"%PDF").decode(), "no picture"),
        (base64.b64encode(PNG + bytes(1_000)).decode(), "larger"),
        ("A" * 10_000, "larger"),
    ],
)
def test_base64_that_is_no_picture_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        decode_base64(text, "image", PICTURES)


def test_a_data_prefix_tells_what_the_bytes_do_not() -> None:
    text = "data:text/csv;base64," + base64.b64encode(b"a;b").decode()

    file = decode_base64(text, "document", ANY)

    assert (file.content, file.media_type, file.name) == (b"a;b", "text/csv", "document.csv")


@pytest.mark.parametrize(
    ("content", "declared", "name", "media_type"),
    [
        (ZIP, "", "", "application/zip"),
        (ZIP, "", "offer.docx", DOCX),
        (ZIP, DOCX, "offer", DOCX),
        (b"%PDF-1.4", "text/plain", "a.txt", "application/pdf"),
        ("Цены".encode("utf-16"), "", "prices.txt", "text/plain"),
        (b"BMW: 5", "text/plain; charset=utf-8", "", "text/plain"),
        (b"\x00\x01", "", "", "application/octet-stream"),
        (b"\x00\x01", "application/octet-stream", "x.bin", "application/octet-stream"),
        (b"\x00\x01", "no type", "x", "application/octet-stream"),
        (b"<svg/>", "image/svg+xml", "", "application/octet-stream"),
    ],
)
def test_what_a_document_is(content: bytes, declared: str, name: str, media_type: str) -> None:
    assert file_of(content, "document", ANY, declared=declared, name=name).media_type == media_type


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"OggS", "audio/ogg"),
        (b"\x00\x00\x00\x18ftypmp42", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3webm", "audio/webm"),
    ],
)
def test_a_voice_note_in_a_container_for_films_is_sound(head: bytes, media_type: str) -> None:
    assert file_of(head, "voice", ANY).media_type == media_type


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("voice", PNG, "image/png; the messenger takes audio"),
        ("video", b"OggS", "audio/ogg; the messenger takes video"),
        ("image", b"<svg/>", "no picture that we know"),
        ("voice", b"hello", "no voice note that we know"),
        ("video", b"", "The video is empty"),
        ("document", b"x" * 1_001, "The file is larger than 1000 bytes"),
    ],
)
def test_what_is_of_another_kind_is_refused(kind: MediaKind, content: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        file_of(content, kind, ANY)


def test_the_type_is_spelled_as_in_the_manifest() -> None:
    """Vendors have their own words for a type; a channel compares with its own list."""
    file = file_of(b"ID3", "voice", MediaLimit(types=("audio/ogg", "audio/mp3"), max_bytes=10))

    assert file.media_type == "audio/mp3"


def test_no_manifest_lets_a_file_fill_the_memory() -> None:
    assert largest(MediaLimit(max_bytes=2**40)) == FILE_MAX_BYTES


def test_a_file_is_checked_once_more_before_it_is_sent() -> None:
    check_file("image", PICTURES, MediaFile(PNG, "image/png"))
    with pytest.raises(Rejected, match="image/gif; the messenger takes image/jpeg, image/png"):
        check_file("image", PICTURES, MediaFile(PNG, "image/gif"))
    with pytest.raises(Rejected, match="larger"):
        check_file("image", PICTURES, MediaFile(bytes(1_001), "image/png"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Прайс 2026.pdf", "Прайс 2026.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\u202efdp.exe", "a_fdp.exe"),
        ('x"\r\nSet-Cookie: a', "x_Set-Cookie_ a"),
        ("...", ""),
        ("\ud800.pdf", "_.pdf"),
        ("я" * 200 + ".pdf", "я" * 96 + ".pdf"),
        ("я" * 200, "я" * 100),
    ],
)
def test_a_name_keeps_nothing_that_leads_astray(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize(
    ("media_type", "extension"),
    [("audio/mp3", "mp3"), ("video/mp4", "mp4"), ("text/csv", "csv"), ("x/y", "bin"), ("", "bin")],
)
def test_a_type_has_an_extension(media_type: str, extension: str) -> None:
    assert extension_of(media_type) == extension
