"""The spool keeps what Redis could not take, in order, through a restart."""

import asyncio
from pathlib import Path

import pytest

from core.errors import StorageDown
from core.spool import Spool


async def opened(path: Path, **settings: int) -> Spool:
    spool = Spool(path, **settings)
    await spool.open()
    return spool


async def contents(spool: Spool) -> list[str]:
    return [row.content for row in await spool.head(1000, 10_000)]


async def test_rows_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    spool = await opened(tmp_path / "s.sqlite")

    await spool.append(["один", "два"])
    await spool.append(["три"])

    assert await contents(spool) == ["один", "два", "три"]
    assert [row.content for row in await spool.head(2, 10_000)] == ["один", "два"]
    assert spool.waiting == 3
    await spool.close()


async def test_dropped_rows_are_gone_and_later_ones_stay(tmp_path: Path) -> None:
    spool = await opened(tmp_path / "s.sqlite")
    await spool.append(["a", "b"])
    head = await spool.head(2, 10_000)
    await spool.append(["c"])

    await spool.drop(head[-1].id)

    assert await contents(spool) == ["c"]
    assert spool.waiting == 1
    await spool.close()


async def test_a_restart_finds_everything(tmp_path: Path) -> None:
    spool = await opened(tmp_path / "deep" / "folder" / "s.sqlite")
    await spool.append(["a\x00b", "c"])
    await spool.close()

    again = await opened(tmp_path / "deep" / "folder" / "s.sqlite")

    assert (again.waiting, await contents(again)) == (2, ["a\x00b", "c"])
    await again.close()


async def test_a_process_that_was_killed_loses_nothing_it_had_appended(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path; from core.spool import Spool\n"
        "async def run():\n"
        "    spool = Spool(Path(sys.argv[1])); await spool.open()\n"
        "    await spool.append(['kept']); os.kill(os.getpid(), 9)\n"
        "asyncio.run(run())"
    )
    killed = await asyncio.create_subprocess_exec(
        ".venv/bin/python", "-c", script, str(tmp_path / "s.sqlite"), env={"PYTHONPATH": "."}
    )
    assert await killed.wait() == -9

    spool = await opened(tmp_path / "s.sqlite")

    assert await contents(spool) == ["kept"]
    await spool.close()


async def test_a_full_disk_takes_all_of_a_batch_or_nothing(tmp_path: Path) -> None:
    spool = await opened(tmp_path / "s.sqlite", max_bytes=100_000)
    await spool.append(["small"])

    with pytest.raises(StorageDown, match="full"):
        await spool.append(["x" * 1000] * 200)

    assert (spool.waiting, await contents(spool)) == (1, ["small"])
    await spool.append(["there is room for little"])
    await spool.close()


async def test_two_processes_may_not_share_a_file(tmp_path: Path) -> None:
    first, second = await opened(tmp_path / "s.sqlite"), Spool(tmp_path / "s.sqlite")

    with pytest.raises(StorageDown, match="SPOOL_DIR of its own"):
        await second.open()

    await first.close()
    await second.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    spool = Spool(tmp_path / "file" / "s.sqlite")

    with pytest.raises(StorageDown, match=r"file/s\.sqlite"):
        await spool.open()
    with pytest.raises(StorageDown):
        await spool.append(["a"])
    await spool.close()
