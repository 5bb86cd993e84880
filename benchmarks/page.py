"""What was measured, in docs/performance.md."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.measured import filled, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"

# The lines of the table of times, and what the contenders are called there.
TIMES = {
    "numpy loop": "numpy, `sign(W s)` to a fixed point, float32",
    "numpy product": "one float32 product of matrix and vector",
    "torchhd": "torchhd `Hopfield`, read to a fixed point",
    "hopfieldkit": "hopfieldkit, asynchronous",
    "hebbian": "**here: Hebb**",
    "pseudo_inverse": "**here: pseudo-inverse**",
    "imported": "**here: imported weights** (no factors)",
    "FAISS": "FAISS, nearest pattern by Hamming distance",
    "nearest": "**here: nearest pattern**",
}
SINGLE, GROWTH, MODERN, ATTRACTORS, MEMORY = (
    "One recall, ",
    "Growth",
    "modern",
    "Attractors",
    "Memory of a loaded network",
)
HEADER = ["", "", "least", "median", "most", "", "goal: must / stretch", "met"]

Rows = Mapping[str, list[dict[str, Any]]]


def write() -> None:
    """Puts the tables of benchmarks/results/*.json into the page."""
    core, wire = (json.loads((HERE / "results" / f"{name}.json").read_text("utf-8")) for name in ("core", "rpc"))
    rows: Rows = core["rows"]
    versions = ", ".join(f"{package} {version}" for package, version in core["versions"].items())
    measured = {
        "machine": f"{core['machine']}, {core['date'][:10]}; {versions}.",
        "times": times(core["milliseconds"]),
        "core": table(HEADER, lines(rows, families=False)),
        "families": table(HEADER, lines(rows, families=True)),
        "memory": memory(rows[MEMORY]),
        "wire": table(HEADER, (line(title, row) for title, of in wire["rows"].items() for row in of)),
    }
    page = PAGE.read_text("utf-8")
    for name, text in measured.items():
        page = filled(page, name, text)
    PAGE.write_text(page, "utf-8")


def times(milliseconds: Mapping[str, Mapping[str, float]]) -> str:
    """One recall of each, by N."""
    sizes = {title.removeprefix(SINGLE): of for title, of in milliseconds.items() if title.startswith(SINGLE)}
    found = (
        [label, *(number(of[name]) if name in of else "" for of in sizes.values())] for name, label in TIMES.items()
    )
    return table(["milliseconds", *sizes], found)


def lines(rows: Rows, *, families: bool) -> Iterator[list[str]]:
    """What has a goal, and how time grows, of the classical networks; or everything of the other families."""
    for title, of in rows.items():
        for row in of:
            other = MODERN in title or title == ATTRACTORS or row["what"].startswith("dense")
            if other is families and (families or row["must"] is not None or title.startswith(GROWTH)):
                yield line(title, row)


def line(title: str, row: Mapping[str, Any]) -> list[str]:
    goal = " / ".join(f"{row[name]:g}" for name in ("must", "stretch") if row[name] is not None)
    least, middle, most = (number(row[name]) for name in ("least", "median", "most"))
    return [title, row["what"], least, f"**{middle}**", most, row["unit"], goal, row["met"]]


def memory(rows: list[dict[str, Any]]) -> str:
    """A line a kind, a column an N."""
    kinds: dict[str, dict[str, str]] = {}
    for row in rows:
        kind, size = row["what"].split(", ")
        kinds.setdefault(kind, {})[size] = number(row["median"])
    sizes = list(dict.fromkeys(size for of in kinds.values() for size in of))
    return table(["MiB", *sizes], ([kind, *(of[size] for size in sizes)] for kind, of in kinds.items()))


def number(value: float) -> str:
    """To three digits, without an exponent."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


if __name__ == "__main__":
    write()
