"""`python -m docs.figures [name ...]`: makes the figures of the pages, all or some, with a service of its own."""

import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

from docs.figures.drawing import save
from docs.measured import filled
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient, HopfieldWarning

DIRECTORY = Path(__file__).parent
PAGES = {
    "science": (
        "retrieval",
        "exact_recall",
        "capacity",
        "temperature",
        "ages",
        "digits",
        "trace",
        "completion",
        "landscape",
        "storkey",
        "ties",
        "coding",
        "cycle",
        "annealing",
    ),
    "families": ("many_digits", "dense_capacity", "ring", "sheet"),
}
FIGURES = tuple(name for names in PAGES.values() for name in names)


def main(names: list[str]) -> None:
    """Makes the figures of these names, or all."""
    unknown = set(names) - set(FIGURES)
    if unknown:
        sys.exit(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    # Beyond the capacity is where these figures go.
    warnings.simplefilter("ignore", HopfieldWarning)
    console = Console(highlight=False)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hopfield-figures-") as directory:
        console.print("starting the service (its first start compiles the kernels: up to a minute)")
        settings = {"HOPFIELD_DATA_DIR": directory, "HOPFIELD_APPENDFSYNC": "everysec"}
        with ServiceProcess(Path(directory), settings) as service, HopfieldClient(service.address) as client:
            for name in names or FIGURES:
                make(name, client, console)
    console.print(f"all in {time.monotonic() - started:.0f} s")


def make(name: str, client: HopfieldClient, console: Console) -> None:
    """Draws and saves one figure; prints what was measured for it, and puts that into the page."""
    path = DIRECTORY / f"{name}.png"
    columns = (TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(name, total=None)
        drawn = import_module(f"docs.figures.{name}").draw(
            client, lambda done, total: bars.update(bar, completed=done, total=total)
        )
        save(drawn.figure, path)
    console.print(f"{path.name}, {path.stat().st_size / 1000:.0f} kB")
    if drawn.table:
        print(f"\n{drawn.table}\n")
        page = page_of(name)
        page.write_text(filled(page.read_text("utf-8"), name, drawn.table), "utf-8")


def page_of(name: str) -> Path:
    """The page that shows a figure."""
    return DIRECTORY.parent / next(f"{page}.md" for page, names in PAGES.items() if name in names)


if __name__ == "__main__":
    main(sys.argv[1:])
