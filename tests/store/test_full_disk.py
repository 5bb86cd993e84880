"""A full disk: changes are refused, nothing acknowledged is lost, and all goes on once there is room."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from tests.store.embedded_servers import connect, server, until
from tests.store.small_disk import SmallDisk, small_disk

from hopfield_service.store import disk_guard, embedded
from hopfield_service.store.embedded import EmbeddedServer, EmbeddedServerFailed


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path.resolve() / "disk", 24) as disk:
        yield disk


@asynccontextmanager
async def kept_up(disk: SmallDisk, appendfsync: str = "always") -> AsyncIterator[EmbeddedServer]:
    async with server(disk.path / "data", appendfsync=appendfsync) as started:
        keeping = asyncio.create_task(started.keep_up())
        try:
            yield started
            assert not keeping.done()
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


async def refuses(valkey: Redis) -> bool:
    """Whether it says that it is full; one that is being started anew says nothing."""
    try:
        await valkey.set("refused", "x")
    except OutOfMemoryError:
        return True
    except RedisError:
        pass
    return False


async def takes(valkey: Redis) -> bool:
    try:
        return bool(await valkey.set("taken", "x" * 1000))
    except RedisError:
        return False


async def written_until_refused(valkey: Redis) -> int:
    """How many keys it took."""
    written = 0
    while True:
        try:
            await valkey.set(f"key {written}", "x" * 100_000)
        except OutOfMemoryError:
            return written
        written += 1
        # As fast as requests fill a disk.
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
async def test_changes_are_refused_before_a_write_fails(disk: SmallDisk, appendfsync: str) -> None:
    async with kept_up(disk, appendfsync) as started, connect(started.url) as valkey:
        pid, written = started.pid, await written_until_refused(valkey)
        assert started.pid == pid
        assert await valkey.dbsize() == written
        assert await valkey.delete("key 0") == 1
        disk.grow(200)
        await until(lambda: takes(valkey))
        assert started.pid == pid


async def test_valkey_comes_back_however_often_a_write_fails(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    # The disk is filled by others, from one look to the next.
    monkeypatch.setattr(disk_guard, "_LOW_BYTES", 0)
    monkeypatch.setattr(disk_guard, "_LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(embedded, "_ENDS", 2)
    async with kept_up(disk) as started, connect(started.url) as valkey:
        for number in range(3):
            ended = started.pid
            await valkey.set("kept", number)
            disk.fill()
            while await takes(valkey):
                pass
            await until(lambda: refuses(valkey))
            assert (await valkey.info("server"))["process_id"] != ended
            assert await valkey.get("kept") == str(number)
            # There is a reserve, for what makes room.
            assert await valkey.delete("kept") == 1
            disk.make_room()
            await until(lambda: takes(valkey))


async def test_a_start_on_a_full_disk_can_read(disk: SmallDisk) -> None:
    async with server(disk.path / "data") as first, connect(first.url) as valkey:
        await valkey.set("kept", "yes")
    disk.fill()
    async with kept_up(disk) as started, connect(started.url) as valkey:
        assert await valkey.get("kept") == "yes"
        with pytest.raises(ResponseError):
            await valkey.set("refused", "x")
        disk.make_room()
        await until(lambda: takes(valkey))


async def test_a_first_start_on_a_full_disk_says_why_it_fails(disk: SmallDisk) -> None:
    disk.fill()
    with pytest.raises(EmbeddedServerFailed, match=f"The disk of {disk.path / 'data'} is full"):
        await EmbeddedServer.start(disk.path / "data")


async def test_deleting_makes_room(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_guard, "_REWRITE_SECONDS", 0.2)
    async with kept_up(disk) as started, connect(started.url) as valkey:
        written = await written_until_refused(valkey)
        await valkey.delete(*[f"key {number}" for number in range(1, written)])
        await until(lambda: takes(valkey))
        assert await valkey.exists("key 0") == 1


async def test_what_a_killed_rewrite_of_the_log_has_left_is_removed(disk: SmallDisk) -> None:
    async with server(disk.path / "data"):
        pass
    left = disk.path / "data" / "valkey" / "temp-rewriteaof-bg-1.aof"
    left.write_bytes(b"half")
    async with server(disk.path / "data"):
        assert not left.exists()
