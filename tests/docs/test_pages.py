"""The pages with figures: their Python runs against a real service, and prints what the page says it prints."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.figures.__main__ import FIGURES, PAGES, page_of
from docs.measured import filled
from tests.docs.pages import blocks, run
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient

DOCS = Path(__file__).parents[2] / "docs"
FIGURE_FILES = DOCS / "figures"


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Path:
    return DOCS / f"{request.param}.md"


@pytest.fixture
def address(server: ServiceProcess) -> Iterator[str]:
    """Where the page finds a service; what it makes there is deleted."""
    with HopfieldClient(server.address, timeout=60.0) as client:
        before = {memory.name for memory in client.list_memories()}
        yield server.address
        for memory in list(client.list_memories()):
            if memory.name not in before:
                client.delete_memory(memory.name)


def test_runs_as_it_stands(page: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(page, address)


def test_has_python_and_output_in_pairs(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(blocks(page)) == text.count("```python")
    assert sum(bool(block.output) for block in blocks(page)) == text.count("```text")


def test_shows_its_figures_and_no_other(page: Path) -> None:
    shown = re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.png\)", page.read_text("utf-8"))
    assert sorted(shown) == sorted(PAGES[page.stem])
    assert {page_of(name) for name in shown} == {page}


def test_a_table_that_is_new_takes_no_place_but_its_own() -> None:
    page = "<!-- measured: new -->\n<!-- end -->\ntext\n<!-- measured: old -->\n| 1 |\n<!-- end -->\n"
    assert filled(page, "new", "| 2 |") == page.replace("new -->\n", "new -->\n| 2 |\n")


def test_every_figure_is_on_a_page() -> None:
    assert sorted(FIGURES) == sorted(path.stem for path in FIGURE_FILES.glob("*.png"))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_light_and_have_their_source(name: str) -> None:
    assert (FIGURE_FILES / f"{name}.png").stat().st_size < 150_000
    assert (FIGURE_FILES / f"{name}.py").is_file()


def test_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in re.findall(r"^#+ .*", text, re.MULTILINE)
    }
    for target in re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (DOCS / target).exists(), target


def test_its_tables_are_those_of_the_last_figures(page: Path) -> None:
    text = page.read_text("utf-8")
    shown = re.findall(r"^<!-- measured: (\w+) -->\n((?:\|.*\n)+)<!-- end -->$", text, re.MULTILINE)
    assert {name for name, _ in shown} <= set(PAGES[page.stem])
    assert text.count("<!-- ") == 2 * len(shown)
    for name, table in shown:
        # What `make figures` would write where it measures the same.
        assert filled(text, name, table.rstrip()) == text
        assert filled(text, name, "| another |") != text
