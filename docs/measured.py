"""What was measured, as tables in pages: each stands between `<!-- measured: name -->` and `<!-- end -->`."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; floats to three digits."""

    def cell(value: object) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [header, ["---"] * len(header), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(page: str, name: str, measured: str) -> str:
    """The page with another table of this name, where it shows that."""
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->"
    return re.sub(f"{re.escape(begin)}.*?{end}", lambda _: f"{begin}{measured}\n{end}", page, flags=re.DOTALL)
