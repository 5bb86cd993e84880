"""The example in another language, run as its first line says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
EXAMPLE = Path("client/examples/node")

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="node or npm is not on this machine"
)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example as it lies in the repository, copied so that what npm installs stays out of it."""
    ignored = shutil.ignore_patterns("node_modules", "package-lock.json")
    shutil.copytree(ROOT / EXAMPLE, tmp_path / EXAMPLE, ignore=ignored)
    shutil.copytree(ROOT / "protos", tmp_path / "protos", ignore=shutil.ignore_patterns("*.py", "*.pyi"))
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(install, cwd=tmp_path / EXAMPLE, check=True, capture_output=True, timeout=150)
    return tmp_path / EXAMPLE


def test_the_node_example_stores_and_recalls_and_may_be_run_again(example: Path, server: ServiceProcess) -> None:
    for _ in range(2):
        done = subprocess.run(
            ["node", "recall.js", server.address], cwd=example, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "[ -1, -1, -1, 1 ] a overlap 1 energy -1.5 2 iterations STOP_REASON_CONVERGED\n"


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text()
    (shown,) = re.findall(r"```javascript\n(.*?)```", readme, re.DOTALL)
    code = (ROOT / EXAMPLE / "recall.js").read_text().split("\n", 1)[1]
    assert shown == code
