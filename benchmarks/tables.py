"""Results as tables, as JSON, and as a picture."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.measuring import Row, Times

PACKAGES = ("numpy", "numba", "torch", "torch-hd", "hopfieldkit", "faiss-cpu")
CONTENDERS = {"numpy loop", "numpy product", "hopfieldkit", "torchhd", "FAISS"}
_STYLES = {"stretch": "green", "must": "green", "missed": "red"}


def of_rows(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", min_width=44)
    for column in ("least", "median", "most"):
        table.add_column(column, justify="right")
    table.add_column("must / stretch", justify="right")
    table.add_column("met")
    for row in rows:
        goal = "" if row.must is None else f"{row.must:g}" + ("" if row.stretch is None else f" / {row.stretch:g}")
        verdict = f"[{_STYLES[row.verdict]}]{row.verdict}" if row.verdict else ""
        numbers = [f"{value:.4g} {row.unit}" for value in (min(row.values), median(row.values), max(row.values))]
        table.add_row(row.what, *numbers, goal, verdict)
    return table


def of_times(times: Times) -> Table:
    table = Table()
    table.add_column("time of a call", min_width=44)
    for column in ("least", "median", "most"):
        table.add_column(f"{column}, ms", justify="right")
    for name, seconds in times.seconds.items():
        table.add_row(name, *(f"{1e3 * value:.4g}" for value in (min(seconds), median(seconds), max(seconds))))
    return table


def as_json(results: Mapping[str, Sequence[Row]], times: Mapping[str, Times], curves: Mapping[str, Any]) -> str:
    return json.dumps(
        {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "rows": {
                title: [
                    {
                        "what": row.what,
                        "least": min(row.values),
                        "median": median(row.values),
                        "most": max(row.values),
                        "unit": row.unit,
                        "must": row.must,
                        "stretch": row.stretch,
                        "met": row.verdict,
                    }
                    for row in rows
                ]
                for title, rows in results.items()
            },
            "milliseconds": {
                title: {name: 1e3 * median(seconds) for name, seconds in each.seconds.items()}
                for title, each in times.items()
            },
            "curves": curves,
        },
        indent=1,
    )


def machine() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8").splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {len(models)} cores, {platform.system()}"


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def draw(singles: Mapping[int, Mapping[str, float]], curves: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Time against N at a fixed load, with the contenders; against N, and against P, with the other fixed: log-log."""
    import matplotlib as mpl  # noqa: PLC0415 - only where a picture is asked for

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 3, figsize=(14, 5.2), sharey=True, layout="constrained")
    # Ours first, as they were measured: the rules have the same colours in all three.
    names = dict.fromkeys(name for times in singles.values() for name in times)
    for name in sorted(names, key=CONTENDERS.__contains__):
        points = [(neurons, 1e3 * times[name]) for neurons, times in singles.items() if name in times]
        theirs = name in CONTENDERS
        axes[0].plot(*zip(*points, strict=True), "s--" if theirs else "o-", label=name, lw=1 if theirs else 2)
    axes[0].set(title="one recall, load 0.05", xlabel="N", ylabel="milliseconds", xscale="log")
    for axis, (what, fixed) in zip(axes[1:], (("N", "P = 16"), ("P", "N = 8192")), strict=True):
        for name, curve in curves[f"Growth with {what}"].items():
            axis.plot(*zip(*((size, 1e3 * seconds) for size, seconds in curve), strict=True), "o-", label=name, lw=2)
        axis.set(title=f"one recall, {fixed}", xlabel=what, xscale="log")
        sizes = [size for size, _ in next(iter(curves[f"Growth with {what}"].values()))]
        axis.set_xticks(sizes, [str(size) for size in sizes], fontsize=8)
        axis.minorticks_off()
    for axis in axes:
        axis.set(yscale="log")
        axis.grid(visible=True, which="both", alpha=0.2)
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    figure.savefig(path, dpi=110)
