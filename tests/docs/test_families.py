"""The page on families: it shows its figures, and its tables are those of them."""

import re

import pytest
from docs.figures.__main__ import DIRECTORY, FAMILIES, FIGURES, OF_FAMILIES, with_table


def test_it_shows_every_figure_of_its_own_and_no_other() -> None:
    assert sorted(FIGURES) == sorted(path.stem for path in DIRECTORY.glob("*.png"))
    shown = re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.png\)", FAMILIES.read_text("utf-8"))
    assert sorted(shown) == sorted(OF_FAMILIES)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_light_and_have_their_source(name: str) -> None:
    assert (DIRECTORY / f"{name}.png").stat().st_size < 150_000
    assert (DIRECTORY / f"{name}.py").is_file()


def test_its_tables_are_those_of_the_last_figures() -> None:
    text = FAMILIES.read_text("utf-8")
    shown = re.findall(r"^<!-- measured: (\w+) -->\n((?:\|.*\n)+)<!-- end -->$", text, re.MULTILINE)
    assert {name for name, _ in shown} <= set(OF_FAMILIES)
    assert text.count("<!-- ") == 2 * len(shown)
    for name, table in shown:
        assert with_table(text, name, table.rstrip()) == text
