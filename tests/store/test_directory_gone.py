"""A data directory that is deleted, moved or replaced under a service: the service ends, and harms no other."""

import asyncio
import shutil
from pathlib import Path

import grpc
import pytest
from redis.exceptions import RedisError
from tests.processes import StartService
from tests.replicas import refused
from tests.store.embedded_servers import assert_nothing_lives_in, connect, server, until, valkeys
from tests.wire import connected, made, pairwise

from hopfield.v1 import memory_service_pb2
from hopfield_service.store.data_directory import DataDirectoryUnusable
from hopfield_service.store.embedded import EmbeddedServer


def lose(data_dir: Path, how: str) -> None:
    match how:
        case "deleted":
            shutil.rmtree(data_dir)
        case "moved":
            data_dir.rename(data_dir.with_name("moved"))
        case "emptied":
            for path in data_dir.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("how", ["deleted", "moved", "emptied"])
@pytest.mark.parametrize("name", ["data", "long" * 30], ids=["socket in it", "socket elsewhere"])
async def test_its_valkey_ends_with_it(data_dir: Path, how: str, name: str) -> None:
    data_dir = data_dir.with_name(name)
    started = await EmbeddedServer.start(data_dir)
    keeping = asyncio.create_task(started.keep_up())
    async with connect(started.url) as valkey:
        await valkey.set("kept", "yes")
        lose(data_dir, how)
        with pytest.raises(DataDirectoryUnusable, match=f"{data_dir} was deleted, moved or replaced"):
            await asyncio.wait_for(keeping, 20)
        with pytest.raises(RedisError):
            await valkey.set("lost", "yes")
    await started.stop()
    assert valkeys(data_dir) == set()
    async with server(data_dir) as anew, connect(anew.url) as valkey:
        assert not anew.adopted
        assert await valkey.get("kept") is None
    assert_nothing_lives_in(data_dir)


async def test_the_valkey_of_another_service_on_the_directory_made_anew_lives_on(data_dir: Path) -> None:
    first = await EmbeddedServer.start(data_dir)
    shutil.rmtree(data_dir)
    async with server(data_dir) as second, connect(second.url) as valkey:
        await valkey.set("kept", "yes")
        with pytest.raises(DataDirectoryUnusable):
            await asyncio.wait_for(first.keep_up(), 20)
        await first.stop()
        assert await valkey.get("kept") == "yes"
        assert valkeys(data_dir) == {second.pid}
    assert_nothing_lives_in(data_dir)


async def test_one_that_is_stopped_before_it_noticed_harms_no_other(data_dir: Path) -> None:
    first = await EmbeddedServer.start(data_dir)
    shutil.rmtree(data_dir)
    async with server(data_dir) as second, connect(second.url) as valkey:
        await first.stop()
        assert await valkey.ping()
        await until(lambda: valkeys(data_dir) == {second.pid})


def test_the_service_says_so_and_ends(tmp_path: Path, start_service: StartService) -> None:
    service = start_service(data_dir=str(tmp_path / "data"))
    with connected(service.address) as wire:
        made(wire, "m", pairwise(3))
        shutil.rmtree(tmp_path / "data")
        assert service.ended() == 1
        request = memory_service_pb2.CreateMemoryRequest(name="lost", spec=pairwise(3))
        assert refused(wire.memory.CreateMemory, request).code == grpc.StatusCode.UNAVAILABLE
    assert f"the data directory {tmp_path / 'data'} was deleted, moved or replaced" in service.log()
