"""A handle of one memory, whose calls block."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._connection import Connection
from hopfield_client._diagnosis import Diagnosis
from hopfield_client._html import table
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._models import PatternModel
from hopfield_client._progress import Progress
from hopfield_client._recall_options import recall_options
from hopfield_client._results import NearestPattern, Recall, RecallBatch, StoredPattern
from hopfield_client._trace import Trace
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, Stored, TieRule, UpdateRule


class Memory:
    """A handle of one memory, made by a client's `create_memory`, `import_weights` or `memory`.

    Patterns are arrays of booleans (True is 1) or, in integer or float type, of the two values of the memory's coding: -1 and 1, or
    0 and 1; in a memory of Modern, of any finite numbers, kept as float32. One pattern may have any shape with N elements: an image stays an image. Every call raises NotFound when there is no
    memory of that name.
    """

    def __init__(self, connection: Connection, calls: MemoryCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one pattern, in which stored ones are given back; None where `client.memory` was told none: (N,)."""
        return self._calls.shape

    @property
    def coding(self) -> Coding | None:
        """The values its neurons have: "bipolar" (-1 and 1), "binary" (0 and 1) or "real"; None where `client.memory` was not told."""
        return self._calls.coding

    def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    def update(
        self,
        *,
        model: PatternModel | None = None,
        rule: LearningRule | None = None,
        normalization: Normalization | None = None,
        thresholds: ArrayLike | None = None,
        self_coupling: bool | None = None,
        kappa: float | None = None,
        max_sweeps: int | None = None,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> MemoryInfo:
        """Changes parameters of the memory and learns its patterns anew under them, in one commit; None leaves one as it is.

        A new rule drops what only the old one has: normalization, kappa and max_sweeps then get their defaults, unless they are
        given too.

        Args:
            model: as in `create_memory`, and so are the others; of the same kind as the memory's.
            rule: how stored patterns become weights.
            normalization: what Hebb's sums are divided by.
            thresholds: threshold of each neuron, or one for them all, which a handle that does not know N takes only if it is 0.
            self_coupling: keep the diagonal that the rule gives.
            kappa: margin of the perceptron rule.
            max_sweeps: sweeps after which the perceptron rule gives up.
            expected_revision: change only if the memory is at this revision.
            timeout: seconds this call may take; None: the client's.

        Returns:
            The memory right after this commit; where everything is so already, as it was: there is no commit then.

        Warns:
            CapacityWarning: the memory now holds more patterns than the rule can.
            ConvergenceWarning: learning gave up before its goal was met.

        Raises:
            Conflict: the memory is at another revision than the one expected.
            FailedPrecondition: the weights were imported, and a rule is asked for.
            InvalidArgument: nothing to change; an unknown word, a number that is not allowed, thresholds that do not fit, a
                parameter that the rule or the model does not have.
        """
        call = self._calls.update(
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            kappa=kappa,
            max_sweeps=max_sweeps,
            expected_revision=expected_revision,
        )
        return self._connection.run(self._connection.memories.UpdateMemory, call, timeout)

    def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None = None,
        *,
        replace: bool = False,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> Stored:
        """Learns patterns: all of them in one commit, or none.

        Args:
            patterns: (count, ...) array, the first axis counting patterns of N neurons, every value known: booleans, or -1 and 1, or
                0 and 1 in a memory of binary coding. It is one pattern if `labels` is a single string, if it has one axis, or if
                it has N elements in all and the handle knows N (it does unless it comes from `client.memory` without a shape).
            labels: one label a pattern, in their order (not a set), or a string for one pattern; None: the server numbers them
                "0", "1", ...
            replace: a label that is stored already takes the new pattern.
            expected_revision: store only if the memory is at this revision.
            timeout: seconds this call may take; None: the client's.

        Returns:
            The memory right after this commit, and the labels of the patterns.

        Warns:
            CapacityWarning: the patterns are stored, but the memory now holds more than its rule can.
            ConvergenceWarning: the patterns are stored, but learning gave up before its goal was met.

        Raises:
            AlreadyExists: a label is taken, and not `replace`.
            Conflict: the memory is at another revision than the one expected.
            FailedPrecondition: the weights were imported.
            InvalidArgument: values, sizes or labels that do not fit.
            ResourceExhausted: more patterns than the server holds, or takes in one call.
        """
        call = self._calls.store(patterns, labels, replace=replace, expected_revision=expected_revision)
        return self._connection.run(self._connection.memories.StorePatterns, call, timeout)

    def forget(self, labels: str | Iterable[str], *, timeout: float | None = None) -> MemoryInfo:
        """Unlearns the patterns of these labels, all in one commit, or none, as if they had never been stored.

        Args:
            labels: of the patterns to forget; a string is one label.
            timeout: seconds this call may take; None: the client's.

        Returns:
            The memory right after this commit.

        Raises:
            NotFound: a label is not stored.
            InvalidArgument: no label, or one twice.
        """
        call = self._calls.forget(labels)
        return self._connection.run(self._connection.memories.ForgetPatterns, call, timeout)

    def patterns(self) -> Iterator[StoredPattern]:
        """The stored patterns, oldest first, in the handle's shape, fetched as they are consumed.

        Each is int8 of -1 and 1, or of 0 and 1 in a memory of binary coding; float32 of real numbers.
        """
        call = self._calls.patterns()
        yield from self._connection.run_pages(self._connection.memories.ListPatterns, call)

    def pattern(self, label: str) -> NDArray[Any]:
        """One stored pattern in the handle's shape: int8 of -1 and 1, or of 0 and 1 in a memory of binary coding; float32 of real numbers.

        Raises:
            NotFound: the label is not stored.
        """
        return self._connection.run(self._connection.memories.ListPatterns, self._calls.pattern(label))

    def recall(
        self,
        query: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> Recall:
        """Runs the dynamics from a query until they settle. Not settling is an answer too: see `Recall.stop_reason`.

        Args:
            query: what is known of the pattern looked for: any shape with N elements, booleans, or -1 and 1, or 0 and 1 in a memory of
                binary coding. A neuron nothing is known of is 0 among -1 and 1, or masked in a numpy masked array of any of these.
                To a memory of bipolar coding numbers that are only 0s and 1s may be meant either way and are refused: pass
                booleans, or `np.ma.masked_equal(query, 0)` where 0 is unknown.
            update: "asynchronous" (one neuron after the other; ends in a fixed point unless a
                diagonal of -1/1 weights is negative), "synchronous" (all at once; may end in a
                cycle) or "glauber" (one random neuron after the other, at a temperature).
            order: in which the neurons are updated one after the other: "random" (a fresh permutation each iteration),
                "sequential", or every neuron index once.
            seed: of all that is random, 0 to 2**64 - 1; None: the server draws one and says which.
            max_iterations: at most so many sweeps over all neurons; at a fixed temperature exactly so many; after a schedule of
                temperatures, at most so many in the descent that follows.
            tie: what a neuron does at a local field of zero: "keep" its state, "plus" (1) or "minus" (-1, or 0 in binary coding).
            clamp: hold the known neurons of the query fixed.
            beta: the inverse temperature, at least 0; required with "glauber", refused with the others. A number: the states are drawn
                from exp(-beta E) / Z in the long run, and it never settles. A sequence: simulated annealing, one sweep at each of
                them, and then a descent at temperature zero to a fixed point.
            timeout: seconds this call may take; None: the client's.

        Raises:
            InvalidArgument: a query of another size or of other values; an unknown word; a number out of range; an order without
                asynchronous updating; "glauber" without beta, or beta without it.
            FailedPrecondition: the server's storage has lost commits that this client has seen. Raised once.
        """
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        call = self._calls.recall(query, options)
        return self._connection.run(self._connection.recalls.Recall, call, timeout)

    def recall_batch(
        self,
        queries: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
        progress: bool | Progress = False,
    ) -> RecallBatch:
        """Runs the dynamics from each of many queries.

        They go in one message, or in as many as it takes; the answers are the same.

        Args:
            queries: (count, ...) array, the first axis counting queries, each as in `recall`. What 0 means in numbers is the same in
                all of them. Without queries the answer is empty.
            update: as in `recall`.
            order: as in `recall`.
            seed: as in `recall`; query k uses seed + k (modulo 2**64), and its answer is that of `recall` with that seed.
            max_iterations: as in `recall`.
            tie: as in `recall`.
            clamp: as in `recall`.
            beta: as in `recall`.
            timeout: seconds each message may take; None: the client's.
            progress: True: says on stderr how far it is; or what to call with how many queries are done, and of how many. Either
                sends them in some hundred parts.

        Raises:
            InvalidArgument: as in `recall`.
            FailedPrecondition: as in `recall`.
            Conflict: the memory was deleted and made anew between two messages.
        """
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        batch = self._calls.recall_batch(queries, options, progress)
        return self._connection.run_batch(batch, timeout)

    def recall_stream(
        self,
        queries: Iterable[ArrayLike],
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> Generator[Recall, None, None]:
        """Runs the dynamics from queries that come one after the other, any number of them, and gives the answers as they come.

        Queries are taken from the iterable when the next answer is asked for, and sent in blocks; some thousands of them are on
        their way at most, so that neither side holds more. Queries that come slowly are sent, and answered, as they come.

        Args:
            queries: each as in `recall`, any of any shape and type; an array counts queries along its first axis. To a handle that
                does not know the coding of its memory, 0 has to mean the same in all of them.
            update: as in `recall`, and so are the others.
            order: in which the neurons are updated one after the other.
            seed: query k uses seed + k (modulo 2**64), and its answer is that of `recall` with that seed.
            max_iterations: at most so many sweeps over all neurons.
            tie: what a neuron does at a local field of zero.
            clamp: hold the known neurons of the query fixed.
            beta: the inverse temperature.
            timeout: seconds the next answers may take to come; None: the client's. The stream as a whole may take any time.
                Until the first answer has come, a stream that breaks is begun anew, as a call is repeated.

        Returns:
            An iterator of Recall, one a query, in order. Each says at which revision it was computed: a change of the memory is seen
            by queries after it. To leave off, `close` it or drop it.

        Raises:
            InvalidArgument: an option is wrong, as in `recall`; or, from the iterator, a query is. The answers to the queries
                before it come first, and so they do where `queries` raises: then that error is raised.
            DataLoss: from the iterator: the answers break off.
            DeadlineExceeded, FailedPrecondition, NotFound, Unavailable: from the iterator: as in `recall`.
        """
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        return self._connection.recalls_of(self._calls.recall_stream(options), queries, timeout)

    def trace(
        self,
        query: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Runs one recall and shows every iteration of it, as it arrives.

        Args:
            query: as in `recall`, and so are the others.
            update: which neurons are updated when.
            order: in which the neurons are updated one after the other.
            seed: of all that is random.
            max_iterations: at most so many sweeps over all neurons.
            tie: what a neuron does at a local field of zero.
            clamp: hold the known neurons of the query fixed.
            beta: the inverse temperature.
            timeout: seconds from the first step to the last, with what the caller does in between; None: the client's.

        Returns:
            An iterator of TraceStep: the query as iteration 0, then a step an iteration, the quiet last one included. When it has
            ended, its `recall` is the answer that `recall` gives with the same seed.

        Raises:
            InvalidArgument: as in `recall`.
            DataLoss: from the iterator: the steps break off before the answer.
            FailedPrecondition: from the iterator: as in `recall`.
        """
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        call = self._calls.trace(query, options)
        return Trace(self._connection.steps(call, timeout), call)

    def nearest(
        self, query: ArrayLike, k: int = 1, *, include_patterns: bool = False, timeout: float | None = None
    ) -> list[NearestPattern]:
        """The stored patterns nearest to a query by |overlap|, without dynamics.

        Where only a pattern that was stored will do as an answer, this is faster than `recall`, and surer.

        Args:
            query: as in `recall`. An unknown neuron counts as 0 in the overlap.
            k: how many patterns; all of them where fewer are stored. 1 to 1,000.
            include_patterns: give the patterns too, not only their labels.
            timeout: seconds this call may take; None: the client's.

        Returns:
            Nearest first, the oldest of equals first; nothing where nothing is stored.

        Raises:
            InvalidArgument: a query of another size or of other values; k out of range.
            FailedPrecondition: as in `recall`.
        """
        call = self._calls.nearest(query, k, include_patterns=include_patterns)
        return self._connection.run(self._connection.recalls.Nearest, call, timeout)

    def diagnose(self, *, timeout: float | None = None) -> Diagnosis:
        """How well the memory holds what is stored in it: load, stability, crosstalk, weights, and a verdict in words.

        Everything is computed when asked, in about P N^2 operations or twice that; it may take `timeout` seconds; None: the
        client's timeout. `print` shows it as a table.
        """
        return self._connection.run(self._connection.memories.DiagnoseMemory, self._calls.diagnose(), timeout)

    def weights(self, *, timeout: float | None = None) -> NDArray[np.float64]:
        """The weights that recall uses, (N, N), symmetric: J, or T in a memory of binary coding.

        They may take `timeout` seconds; None: the client's timeout.

        Raises:
            FailedPrecondition: the memory's model has no weights.
        """
        return self._connection.run_stream(self._connection.memories.GetWeights, self._calls.weights(), timeout)

    def __repr__(self) -> str:
        return f"Memory({', '.join([repr(self.name), *self._calls.known()])})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"Memory {self.name!r}", [("shape", self.shape), ("coding", self.coding)])
