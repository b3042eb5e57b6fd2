"""The content store keeps bytes under their hash, in a folder and in a bucket alike."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import StorageDown
from core.settings import load_one
from orchestrator.content_choice import content_store
from orchestrator.content_folder import FolderStore
from orchestrator.content_s3 import S3Store
from orchestrator.content_store import ContentKey, ContentStore, key_of, path_of
from orchestrator.media_settings import MediaSettings
from tests.integration.s3_fixture import BUCKET, KEY_ID, REGION, FakeS3, fake_s3

BYTES = b"OggS voice"
KEY = key_of(BYTES)
OTHER = key_of(b"other")
#: What would lead out of the store, were it taken for a key.
TRAPS = ["../" * 21 + "x", "/etc/passwd", "..", "", "a" * 63, "A" * 64, "a" * 64 + "\n", "../../" + "a" * 58]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
async def bucket() -> AsyncIterator[FakeS3]:
    async with fake_s3() as made:
        yield made


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, bucket: FakeS3) -> ContentStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "media")
    return S3Store(bucket.place(prefix="shop one/media"), seconds=5)


async def test_what_was_put_is_there_until_it_is_deleted(store: ContentStore) -> None:
    assert await store.get(KEY) is None

    await store.put(KEY, BYTES)
    await store.put(KEY, BYTES)
    await store.put(OTHER, b"other")
    there = await store.get(KEY)
    await store.delete([KEY, key_of(b"never put")])

    assert there == BYTES
    assert (await store.get(KEY), await store.get(OTHER)) == (None, b"other")


async def test_twenty_writers_of_one_content_leave_it_whole(store: ContentStore) -> None:
    content = b"x" * 300_000

    await asyncio.gather(*(store.put(key_of(content), content) for _ in range(20)))

    assert await store.get(key_of(content)) == content


@pytest.mark.parametrize("trap", TRAPS)
async def test_what_is_no_key_leads_nowhere(store: ContentStore, trap: str) -> None:
    key = ContentKey(trap)

    with pytest.raises(ValueError, match="not the key"):
        await store.put(key, b"x")
    with pytest.raises(ValueError, match="not the key"):
        await store.get(key)
    with pytest.raises(ValueError, match="not the key"):
        await store.delete([KEY, key])


# --- the folder -------------------------------------------------------------------------------------------


async def test_a_write_that_died_half_way_is_never_read_and_goes_with_its_content(tmp_path: Path) -> None:
    """kill -9 between the first byte and the name: the half file bears another name."""
    store = FolderStore(tmp_path)
    half = tmp_path / f"{path_of(KEY)}.0123456789abcdef.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(BYTES[:3])

    before = await store.get(KEY)
    await store.put(KEY, BYTES)
    await store.delete([KEY])

    assert before is None
    assert files_in(tmp_path) == []


async def test_a_truncated_file_is_written_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put(KEY, BYTES)
    (tmp_path / path_of(KEY)).write_bytes(BYTES[:3])

    await store.put(KEY, BYTES)

    assert await store.get(KEY) == BYTES


async def test_nobody_else_on_the_machine_reads_customers_files(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "media")
    await store.put(KEY, BYTES)

    file = tmp_path / "media" / path_of(KEY)

    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_written_is_storage_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FolderStore(tmp_path / "file")

    with pytest.raises(StorageDown, match="folder fails"):
        await store.put(KEY, BYTES)


# --- the bucket -------------------------------------------------------------------------------------------


async def test_every_request_to_the_bucket_is_signed(bucket: FakeS3) -> None:
    store = S3Store(bucket.place(prefix="shop one"), seconds=5)
    await store.put(KEY, BYTES)
    await store.get(KEY)
    await store.delete([KEY])

    path = f"/{BUCKET}/shop one/{path_of(KEY)}"
    assert bucket.asked == [f"PUT {path}", f"GET {path}", f"DELETE {path}"]
    assert bucket.refused == []


async def test_a_wrong_secret_is_refused_and_told_without_it(bucket: FakeS3) -> None:
    store = S3Store(bucket.place(secret="another-secret-0123"), seconds=5)

    with pytest.raises(StorageDown) as refused:
        await store.put(KEY, BYTES)

    assert bucket.refused == ["another signature"]
    assert bucket.objects == {}
    assert "secret-0123" not in str(refused.value)
    assert bucket.url not in str(refused.value)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_bucket_that_fails_is_storage_that_is_down(bucket: FakeS3, status: int) -> None:
    bucket.answer = status
    store = S3Store(bucket.place(), seconds=2)

    with pytest.raises(StorageDown):
        await store.put(KEY, BYTES)


async def test_a_bucket_that_is_silent_is_not_waited_for_long(bucket: FakeS3) -> None:
    bucket.silent = True
    store = S3Store(bucket.place(), seconds=0.3)

    async with asyncio.timeout(10):
        with pytest.raises(StorageDown):
            await store.get(KEY)


async def test_a_bucket_that_is_away_is_storage_that_is_down(bucket: FakeS3) -> None:
    store = S3Store(replace(bucket.place(), endpoint="http://127.0.0.1:9"), seconds=1)

    with pytest.raises(StorageDown):
        await store.delete([KEY])


# --- the settings -----------------------------------------------------------------------------------------


async def test_the_settings_choose_the_store(bucket: FakeS3, tmp_path: Path) -> None:
    settings = MediaSettings(
        content_store=f"s3://{BUCKET}/eldoleado",
        content_s3_endpoint=bucket.url,
        content_s3_region=REGION,
        content_s3_key_id=KEY_ID,
        content_s3_secret=SecretStr("a-secret-that-signs"),
    )
    await content_store(settings).put(KEY, BYTES)
    await content_store(MediaSettings(content_store=str(tmp_path / "x"))).put(KEY, BYTES)

    assert list(bucket.objects) == [f"/{BUCKET}/eldoleado/{path_of(KEY)}"]
    assert (tmp_path / "x" / path_of(KEY)).read_bytes() == BYTES


@pytest.mark.promise("settings")
def test_a_bucket_without_its_key_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTENT_STORE", "s3://files")
    monkeypatch.setenv("TRANSCRIBE_URL", "https://hears.example")
    monkeypatch.setenv("MEDIA_TYPES", "image/*,nonsense")

    with pytest.raises(SystemExit):
        load_one(MediaSettings)

    told = capsys.readouterr().err
    assert "CONTENT_STORE: Value error, a bucket needs CONTENT_S3_KEY_ID and CONTENT_S3_SECRET" in told
    assert "TRANSCRIBE_URL: Value error, needs TRANSCRIBE_MODEL beside it" in told
    assert "MEDIA_TYPES: Value error, 'nonsense' is no type" in told
