"""Starts a service, stores ten handwritten digits, corrupts them, recalls them over gRPC, and shows what came of it."""

import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

try:
    from rich import box
    from rich.console import Console, Group, RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text
except ModuleNotFoundError:
    sys.exit("the demo starts the service and needs it: pip install 'hopfield-recall[server]'")

from hopfield_client import CapacityWarning, Dense, HopfieldClient, PatternArray, RecallBatch
from hopfield_client.demo.digits import Images, corrupted, distinct_digits, ten_digits

SEED = 1
SHARES = (0.1, 0.2)
_COLUMNS = 80
_STYLES = {"right": "bold green", "wrong": "bold red"}


@dataclass(frozen=True)
class Glyphs:
    """What pictures are drawn with.

    Attributes:
        blocks: for two pixels, one above the other: neither, the lower, the upper, both.
        wrong: for two that are off and are to be marked.
    """

    blocks: str
    wrong: str


_BLOCKS = Glyphs(" ▄▀█", "·")
_LETTERS = Glyphs(" .'#", "-")
"""Where the output takes ASCII alone."""


def glyphs_for(console: Console) -> Glyphs:
    """What a console can show."""
    return _LETTERS if console.options.ascii_only else _BLOCKS


def wide_console() -> Console:
    """A console with room for the tables, whether the screen has it or not."""
    console = Console(highlight=False)
    if console.width >= _COLUMNS:
        return console
    console.print(f"the demo needs {_COLUMNS} columns; here are {console.width}")
    return Console(highlight=False, width=_COLUMNS)


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Says what is being waited for: with a spinner on a terminal, else once."""
    if console.is_terminal:
        with console.status(what, spinner="line" if console.options.ascii_only else "dots"):
            yield
    else:
        console.print(what)
        yield


@contextmanager
def service(console: Console) -> Iterator[str]:
    """A service of the demo's own, with nothing stored; its address."""
    with tempfile.TemporaryDirectory(prefix="hopfield-demo-") as directory:
        log_file = Path(directory, "service.log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
        environment |= {"HOPFIELD_LISTEN": "127.0.0.1:0", "HOPFIELD_DATA_DIR": directory}
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hopfield_service"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            with waiting(console, "starting the service (its first start compiles the kernels: up to a minute)"):
                line = process.stdout.readline() if process.stdout else ""
            if not line:
                sys.exit(f"the service did not come up:\n{log_file.read_text()}")
            address = line.partition(" serving on ")[2].partition(",")[0]
            console.print(Text(f"a service of the demo's own is up on {address}", style="dim"))
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            if process.stdout:
                process.stdout.close()


def picture(image: Images, glyphs: Glyphs, different_from: Images | None = None) -> Text:
    """An image of 8 x 8 as four lines of half blocks; where pixels differ from another image they are coloured."""
    text = Text()
    wrong = image ^ different_from if different_from is not None else np.zeros_like(image)
    for row in range(0, 8, 2):
        for upper, lower, marked in zip(image[row], image[row + 1], wrong[row] | wrong[row + 1], strict=True):
            pixels = 2 * int(upper) + int(lower)
            block = glyphs.wrong if marked and not pixels else glyphs.blocks[pixels]
            text.append(block, "red" if marked else "")
        text.append("\n" if row < 6 else "")
    return text


def verdict(answers: RecallBatch, k: int, expected: str) -> Text:
    """What the service says of an answer, one thing a line, beside a picture of it."""
    label, overlap = answers.labels[k], float(answers.overlaps[k])
    right = label == expected and overlap == 1
    return Text.assemble(
        (f"{label}{'' if right else ' wrong'}\n", _STYLES["right" if right else "wrong"]),
        f"m {overlap:+.2f}\nE {answers.energies[k]:+.1f}\n{answers.iterations[k]} iter.",
    )


def recall_table(images: Images, noisy: Sequence[Images], answers: Sequence[RecallBatch], glyphs: Glyphs) -> Table:
    """Stored, noisy and recovered side by side, with label, overlap, energy and iterations."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_lines=False)
    table.add_column("stored")
    for share in SHARES:
        table.add_column(f"{share:.0%} noise")
        table.add_column("recalled")
        table.add_column("as", min_width=8)
    for k, image in enumerate(images):
        row: list[RenderableType] = [picture(image, glyphs)]
        for corrupt, answer in zip(noisy, answers, strict=True):
            recovered = answer.patterns[k]
            row += [
                picture(corrupt[k], glyphs, image),
                picture(recovered, glyphs, image),
                verdict(answer, k, str(k)),
            ]
        table.add_row(*row)
        if k < 9:
            table.add_row()
    return table


def gallery(images: Images, patterns: PatternArray, words: Sequence[str], glyphs: Glyphs) -> Group:
    """What ten queries became, five in a row, a word below each; red: not as the image."""
    rows: list[RenderableType] = []
    for start in (0, 5):
        grid = Table.grid(padding=(0, 3))
        chosen = range(start, start + 5)
        grid.add_row(*(picture(patterns[k].astype(bool), glyphs, images[k]) for k in chosen))
        grid.add_row(*(Text(words[k], style="dim") for k in chosen))
        rows.append(Padding(grid, (0, 0, 1, 2)))
    return Group(*rows)


def exact(answers: RecallBatch, images: Images) -> int:
    """How many answers are the stored image, pixel for pixel."""
    return int((answers.patterns == images).all(axis=(1, 2)).sum())


def main() -> None:
    """Runs the demo."""
    console = wide_console()
    glyphs = glyphs_for(console)
    images = ten_digits()
    labels = [str(digit) for digit in range(10)]
    noisy = [corrupted(images, share, SEED) for share in SHARES]
    with service(console) as address, HopfieldClient(address) as client:
        digits = client.create_memory("digits", neurons=64, rule="pseudo_inverse", shape=(8, 8))
        digits.store(images, labels=labels)
        answers = [digits.recall_batch(corrupt, seed=SEED) for corrupt in noisy]
        console.print("\n[bold]Ten handwritten digits in 64 neurons, learnt by the pseudo-inverse rule.[/bold]")
        console.print(
            "Each is corrupted, sent over gRPC, and comes back as what the memory makes of it. Red: not as stored. Beside it: "
            "the label of the nearest stored digit, the overlap m with it, the energy E, the iterations."
        )
        console.print(recall_table(images, noisy, answers, glyphs))
        for share, answer in zip(SHARES, answers, strict=True):
            console.print(f"  {share:.0%} noise: [bold]{exact(answer, images)} of 10 exact[/bold]")

        hebbian = client.create_memory("digits-hebbian", neurons=64, rule="hebbian", shape=(8, 8))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", CapacityWarning)
            hebbian.store(images, labels=labels)
        forgotten = hebbian.recall_batch(images, seed=SEED)
        signs = np.where(images, 1, -1).reshape(10, -1)
        overlap = np.abs(signs @ signs.T / 64)[np.triu_indices(10, 1)].mean()
        console.print(
            "\n[bold]The same ten under Hebb's rule,[/bold] without any noise: "
            f"[bold]{exact(forgotten, images)} of 10 stay as they are.[/bold]"
        )
        for warning in warned:
            console.print(Text(f"The service has warned: {warning.message}", style="dim"))
        console.print(
            gallery(images, forgotten.patterns, [f"{k} > {match}" for k, match in enumerate(forgotten.matches)], glyphs)
        )
        console.print(
            "Why: Hebb's rule adds the patterns up, and is made for patterns that have nothing in common. The digits do: "
            f"their mean |overlap| is {overlap:.2f}, that of random patterns of this size {np.sqrt(2 / np.pi / 64):.2f}. What "
            "they share outweighs what tells them apart, and every query slides to the same few shapes. The "
            "pseudo-inverse rule takes the overlaps out first: use it for images and other real data."
        )

        exponential = client.create_memory("digits-dense", 64, model=Dense(exponential=True), shape=(8, 8))
        exponential.store(images, labels=labels)
        console.print(
            "\n[bold]The same ten in a dense memory,[/bold] which has an exponential function of the overlaps in place of weights."
        )
        for share, corrupt in zip(SHARES, noisy, strict=True):
            recalled = exact(exponential.recall_batch(corrupt, seed=SEED), images)
            console.print(f"  {share:.0%} noise: [bold]{recalled} of 10 exact[/bold]")

        everything = distinct_digits()
        every_label = [str(k) for k in range(len(everything))]
        whole = client.create_memory("digits-all", 64, model=Dense(exponential=True), shape=(8, 8))
        whole.store(everything, labels=every_label)
        queries = corrupted(everything, SHARES[0], SEED)
        answers_of_all = whole.recall_batch(queries, seed=SEED)
        recalled = exact(answers_of_all, everything)
        nearest = [whole.nearest(query)[0].label for query in queries]
        found = sum(label == expected for label, expected in zip(nearest, every_label, strict=True))
        console.print(
            f"[bold]And all {len(everything)} distinct images of the set,[/bold] 27 a neuron, where weights hold one at best: from "
            f"{SHARES[0]:.0%} noise [bold]{recalled / len(everything):.0%} come back exact.[/bold] Of {found / len(everything):.0%} the "
            "right image is the nearest one at all, since most have another that differs in three pixels or less. Ten of them:"
        )
        # The middle one of every tenth.
        some = len(everything) // 20 + np.arange(10) * (len(everything) // 10)
        came_back = answers_of_all.patterns[some]
        words = [
            "" if (image == pattern).all() else "not the same"
            for image, pattern in zip(everything[some], came_back, strict=True)
        ]
        console.print(gallery(everything[some], came_back, words, glyphs))


if __name__ == "__main__":
    main()
