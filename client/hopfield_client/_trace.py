"""A recall shown step by step, as its iterations arrive."""

import math
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Self

from hopfield.v1 import recall_service_pb2
from hopfield_client import _answers
from hopfield_client._errors import DataLoss
from hopfield_client._html import picture, table
from hopfield_client._patterns import Packed, unpack_states
from hopfield_client._results import Recall, TraceStep


class TraceCall:
    """One call that is answered in parts: `take` each, then `finish`.

    Attributes:
        request: what to send.
        if_other_coding: as `Call.if_other_coding`.
        recall: the answer of the recall, once `finish` was called.
    """

    def __init__(
        self, request: recall_service_pb2.TraceRecallRequest, query: Packed, note: Callable[[str, int], None]
    ) -> None:
        self.request = request
        self.if_other_coding = query.if_other_coding
        self.recall: Recall | None = None
        self._query = query
        self._note = note
        self._last = recall_service_pb2.TraceRecallResponse()
        # What was given to the caller so far.
        self._steps = 0
        self._flips = 0
        self._first_energy = self._last_energy = math.nan

    def give(self, step: TraceStep) -> TraceStep:
        """Counts a step that the caller gets."""
        if not self._steps:
            self._first_energy = step.energy
        self._steps += 1
        self._flips += step.flips
        self._last_energy = step.energy
        return step

    def summary(self) -> dict[str, object]:
        """How far the trace is, and the answer once it has ended."""
        so_far: dict[str, object] = {"steps": self._steps or "none yet"}
        if self._steps:
            so_far |= {"flips": self._flips, "energy": f"{self._last_energy:.6g} from {self._first_energy:.6g}"}
        return so_far if self.recall is None else {**so_far, "recall": self.recall}

    def take(self, part: recall_service_pb2.TraceRecallResponse) -> list[TraceStep]:
        """The steps in the next part.

        Raises:
            DataLoss: its columns do not fit together, or the answer came before it.
        """
        columns = (part.iterations, part.energies, part.flips)
        if self._last.HasField("recall") or any(len(column) != part.patterns.count for column in columns):
            raise DataLoss("the steps of the trace do not arrive as the server announced them")
        self._last = part
        states = unpack_states(part.patterns, self._query.shape, boolean=self._query.boolean)
        return [TraceStep(*step) for step in zip(part.iterations, states, part.energies, part.flips, strict=True)]

    def finish(self) -> None:
        """To be called when no part follows.

        Raises:
            DataLoss: the answer is missing.
        """
        if not self._last.HasField("recall"):
            raise DataLoss("the trace broke off before the answer")
        answer = self._last.recall
        self._note(answer.uid, answer.revision)
        self.recall = _answers.recall(answer, self._query)


class Trace:
    """The steps of a recall, as an iterator: the query first, then one step an iteration.

    The recall begins when the first step is asked for, and steps arrive while it runs. To end it before its last step, `close`
    the trace, or drop it. Each step may raise what `Memory.recall` raises.
    """

    def __init__(self, steps: Generator[TraceStep, None, None], call: TraceCall) -> None:
        self._steps = steps
        self._call = call

    @property
    def recall(self) -> Recall | None:
        """The answer, as `Memory.recall` gives it with the same seed; None until the last step was taken and the trace ended."""
        return self._call.recall

    def close(self) -> None:
        """Ends the recall, if it still runs. No step follows."""
        self._steps.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TraceStep:
        return self._call.give(next(self._steps))

    def __repr__(self) -> str:
        return f"Trace({', '.join(f'{name}={value}' for name, value in self._call.summary().items())})"

    def _repr_html_(self) -> str:
        """What notebooks show. It takes no step."""
        recall = self._call.recall
        return table("Trace", self._call.summary().items(), below="" if recall is None else picture(recall.pattern))


class AsyncTrace:
    """The steps of a recall, as an asynchronous iterator: the query first, then one step an iteration.

    As Trace; `aclose` is awaited, and so is each step.
    """

    def __init__(self, steps: AsyncGenerator[TraceStep, None], call: TraceCall) -> None:
        self._steps = steps
        self._call = call

    @property
    def recall(self) -> Recall | None:
        """The answer, as `AsyncMemory.recall` gives it with the same seed; None until the trace has ended."""
        return self._call.recall

    async def aclose(self) -> None:
        """Ends the recall, if it still runs. No step follows."""
        await self._steps.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TraceStep:
        return self._call.give(await anext(self._steps))

    def __repr__(self) -> str:
        return f"AsyncTrace({', '.join(f'{name}={value}' for name, value in self._call.summary().items())})"

    def _repr_html_(self) -> str:
        """What notebooks show. It takes no step."""
        recall = self._call.recall
        return table(
            "AsyncTrace", self._call.summary().items(), below="" if recall is None else picture(recall.pattern)
        )
