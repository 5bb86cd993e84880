"""A private Valkey server that ends while it is needed: nothing acknowledged is lost, and there is one again."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from tests.store.embedded_servers import assert_nothing_lives_in, connect, server, service, until, valkeys

from hopfield_service.store import embedded, valkey_process
from hopfield_service.store.embedded import EmbeddedServer, EmbeddedServerFailed
from hopfield_service.store.file_lock import holders


@asynccontextmanager
async def kept_up(started: EmbeddedServer) -> AsyncIterator[asyncio.Task[None]]:
    keeping = asyncio.create_task(started.keep_up())
    try:
        yield keeping
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


class TestAValkeyThatEnds:
    """Is started anew on what it wrote, as long as there is a point in it."""

    async def killed_and_started_anew(self, started: EmbeddedServer, data_dir: Path) -> None:
        async with connect(started.url) as valkey:
            await valkey.set("kept", "yes")
        pid = started.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: started.pid != pid)
        async with connect(started.url) as valkey:
            assert await valkey.get("kept") == "yes"
            assert await valkey.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert valkeys(data_dir) == {started.pid} == holders(data_dir / "valkey.lock")

    async def test_again_and_again(self, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
        async with server(data_dir, appendfsync="everysec") as started, kept_up(started):
            first = started.pid
            for _ in range(3):
                await self.killed_and_started_anew(started, data_dir)
        assert_nothing_lives_in(data_dir)
        errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 3
        assert f"process {first}" in errors[0]
        assert "was killed by SIGKILL; starting it anew" in errors[0]
        assert str(data_dir / "valkey.log") in errors[0]

    async def test_though_it_was_adopted(self, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
        with service(data_dir) as killed:
            killed.kill()
        async with server(data_dir, appendfsync="everysec") as started, kept_up(started):
            assert started.adopted
            await self.killed_and_started_anew(started, data_dir)
            await self.killed_and_started_anew(started, data_dir)
        assert_nothing_lives_in(data_dir)
        assert f"process {killed.pid}) on {data_dir} ended, nobody knows how; starting it anew" in caplog.text

    async def test_though_somebody_shut_it_down(self, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
        async with server(data_dir) as started, kept_up(started):
            pid = started.pid
            async with connect(started.url) as valkey:
                await valkey.set("kept", "yes")
                with suppress(RedisError):
                    await valkey.shutdown()
            await until(lambda: started.pid != pid)
            async with connect(started.url) as valkey:
                assert await valkey.get("kept") == "yes"
        assert "ended with exit code 0; starting it anew" in caplog.text

    async def test_though_a_rewrite_of_its_log_goes_on(self, data_dir: Path) -> None:
        async with server(data_dir, appendfsync="everysec") as started, kept_up(started):
            async with connect(started.url) as valkey:
                await valkey.mset({f"key {number}": number for number in range(100)})
                await valkey.config_set("rdb-key-save-delay", 10_000_000)
                await valkey.bgrewriteaof()
            await until(lambda: len(holders(data_dir / "valkey.lock")) == 2)
            await self.killed_and_started_anew(started, data_dir)
        assert_nothing_lives_in(data_dir)

    async def test_but_not_if_it_ends_too_often(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded, "_ENDS", 2)
        async with server(data_dir, appendfsync="everysec") as started, kept_up(started) as keeping:
            await self.killed_and_started_anew(started, data_dir)
            os.kill(started.pid, signal.SIGKILL)
            with pytest.raises(EmbeddedServerFailed, match=rf"SIGKILL, and did so 2 times.*{data_dir / 'valkey.log'}"):
                await asyncio.wait_for(keeping, 20)
        assert_nothing_lives_in(data_dir)

    async def test_but_not_if_it_does_not_come_up(self, data_dir: Path) -> None:
        async with server(data_dir) as started, kept_up(started) as keeping:
            log = data_dir / "valkey/appendonlydir/appendonly.aof.1.incr.aof"
            log.write_bytes(b"this is no command\r\n")
            os.kill(started.pid, signal.SIGKILL)
            with pytest.raises(EmbeddedServerFailed, match="Bad file format reading the append only file"):
                await asyncio.wait_for(keeping, 20)
        assert_nothing_lives_in(data_dir)

    @pytest.mark.parametrize("name", ["data", "long" * 30], ids=["socket in it", "socket elsewhere"])
    async def test_may_be_stopped_while_it_is_started_anew(
        self, data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data_dir = data_dir.with_name(name)
        mute = data_dir.with_name("valkey-server")
        mute.write_text("#!/bin/sh\nexec sleep 600\n")
        mute.chmod(0o700)
        started = await EmbeddedServer.start(data_dir)
        socket = Path(started.url.removeprefix("unix://"))
        async with kept_up(started):
            monkeypatch.setattr(valkey_process, "_binary", lambda: mute)
            os.kill(started.pid, signal.SIGKILL)
            await until(lambda: bool(holders(data_dir / "valkey.lock") - {started.pid}))
        await started.stop()
        assert_nothing_lives_in(data_dir)
        await until(lambda: not socket.exists())
