"""The README: its Python runs as it is printed, leaves nothing behind, and its links lead somewhere."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import blocks, run
from tests.processes import ServiceProcess

from hopfield_client import CapacityWarning, HopfieldClient
from hopfield_service.settings import Settings, variable

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")


def names(address: str) -> set[str]:
    with HopfieldClient(address, timeout=60.0) as client:
        return {info.name for info in client.list_memories()}


def test_its_python_runs_in_order_as_printed_twice_on_one_service_and_leaves_nothing(server: ServiceProcess) -> None:
    before = names(server.address)
    for _ in range(2):
        with pytest.warns(CapacityWarning, match="10 patterns in 64 neurons"):
            run(README, server.address)
        assert names(server.address) == before


def test_it_has_python_and_output_in_pairs() -> None:
    assert len(blocks(README)) == TEXT.count("```python")
    assert sum(bool(block.output) for block in blocks(README)) == TEXT.count("```text")


def test_its_links_lead_somewhere() -> None:
    targets = re.findall(r"\[[^\]]+\]\(([^)#]+)\)", TEXT)
    assert targets
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_variables_it_names_are_settings() -> None:
    # In deploy/compose.yaml that one chooses the port, outside of the container.
    named = set(re.findall(r"HOPFIELD_[A-Z_]+[A-Z]", TEXT)) - {"HOPFIELD_PORT"}
    assert named
    assert named <= {variable(field) for field in Settings.model_fields}
