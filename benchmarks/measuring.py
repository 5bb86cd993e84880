"""How time is measured: contenders take turns, so that whatever else the machine does meets all of them.

Time is that of the processor this thread was on, since machines are shared; nothing measured here waits, or uses another thread.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Call = Callable[[int], object]

# Seconds that one turn of a contender takes at least: as many calls as fill them, so that each finds the caches as it left them.
TURN = 0.02
MOST_CALLS = 400


@dataclass(frozen=True)
class Times:
    """What the calls of some contenders took.

    Attributes:
        seconds: of one call, the mean of each turn, by contender; turn k of all of them was in the same round.
    """

    seconds: Mapping[str, list[float]]

    def middle(self, name: str) -> float:
        return median(self.seconds[name])

    def ratios(self, name: str, to: str) -> list[float]:
        """Round by round, so that both met the same machine."""
        return [a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True)]


@dataclass(frozen=True)
class Row:
    """A ratio, or a quantity with its unit, and what it must be: at most, or where `least` is set at least, so much."""

    what: str
    values: list[float]
    unit: str = "x"
    must: float | None = None
    stretch: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """By the median."""
        if self.must is None:
            return ""
        sign = -1 if self.at_least else 1
        value = sign * median(self.values)
        if self.stretch is not None and value <= sign * self.stretch:
            return "stretch"
        return "must" if value <= sign * self.must else "missed"


def take_turns(contenders: Mapping[str, Call], rounds: int) -> Times:
    """Runs all contenders in every round, each for a while; call k of each is given k, so that all meet the same queries."""
    calls: dict[str, int] = {}
    for name, call in contenders.items():
        call(0)
        began = time.thread_time()
        call(1)
        calls[name] = max(1, min(MOST_CALLS, int(TURN / (time.thread_time() - began + 1e-9))))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    next_call = dict.fromkeys(contenders, 0)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in contenders.items():
                first = next_call[name]
                began = time.thread_time()
                for k in range(first, first + calls[name]):
                    call(k)
                seconds[name].append((time.thread_time() - began) / calls[name])
                next_call[name] = first + calls[name]
    finally:
        if enabled:
            gc.enable()
    return Times(seconds)
