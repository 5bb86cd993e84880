"""What the tests of the store share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hopfield_service.store.file_lock import holders


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path.resolve() / "data"
    yield directory
    # So that a test that fails leaves nothing running.
    for pid in holders(directory / "valkey.lock"):
        os.kill(pid, signal.SIGKILL)
