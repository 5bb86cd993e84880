"""The Python of a page, and what the page says that it prints."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A piece of Python, padded so that its lines are numbered as in the page, and what it prints."""

    code: str
    output: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block("\n" * text[: match.start("code")].count("\n") + match["code"], match["output"] or "")
        for match in BLOCK.finditer(text)
    ]


def run(page: Path, address: str) -> None:
    """Runs the blocks of a page in their order, in one session, with a service at an address."""
    session: dict[str, Any] = {}
    try:
        for block in blocks(page):
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(block.code.replace("localhost:50051", address), page, "exec"), session)
            assert printed.getvalue() == block.output, f"after line {block.code.count(chr(10))} of the page"
    finally:
        if "client" in session:
            session["client"].close()
