"""`python -m benchmarks`: measures, prints tables, and writes benchmarks/results/*.json, docs/performance.png, and the tables of
docs/performance.md.

One thread: whatever numpy or torch would start more of is told so before they are loaded.
"""

import os
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from rich.console import Console

from benchmarks import core, measuring, page, rpc, tables

HERE = Path(__file__).parent


def main() -> None:
    console = Console(highlight=False, width=130)
    progress = Console(stderr=True)
    results: dict[str, list[measuring.Row]] = {}
    times: dict[str, measuring.Times] = {}
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    singles: dict[int, dict[str, float]] = {}
    with progress.status("compiling") as status:
        console.print(f"{tables.machine()}; one thread")
        console.print(", ".join(f"{name} {found}" for name, found in tables.versions().items()))
        console.print(f"compiled, or read, in {core.warm():.1f} s")
        for measure in (core.single, core.batches, core.modern, core.learning):
            for title, rows, measured in measure(status.update):
                results[title], times[title] = rows, measured
                console.print(tables.of_rows(title, rows), tables.of_times(measured))
                if measure is core.single:
                    neurons = int(title.split("N = ")[1].split(",")[0])
                    singles[neurons] = {name: measured.middle(name) for name in measured.seconds}
        for title, rows, found in core.growth(status.update):
            results[title], curves[title] = rows, found
            console.print(tables.of_rows(title, rows))
        results["Attractors"] = list(core.attractors(status.update))
        console.print(tables.of_rows("Attractors", results["Attractors"]))
        results["Memory of a loaded network"] = list(core.memory(status.update))
        console.print(tables.of_rows("Memory of a loaded network", results["Memory of a loaded network"]))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "core.json").write_text(tables.as_json(results, times, curves) + "\n", "utf-8")
    tables.draw(singles, curves, HERE.parent / "docs" / "performance.png")
    rpc.main(console)
    page.write()


if __name__ == "__main__":
    main()
