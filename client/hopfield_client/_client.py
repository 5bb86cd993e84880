"""The client whose calls block."""

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Literal, Self, TypeVar

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_service_pb2_grpc, recall_service_pb2_grpc, server_service_pb2_grpc
from hopfield_client._arguments import recall_options
from hopfield_client._calls import Call, ClientCalls, MemoryCalls, Method, PageCall, StreamCall
from hopfield_client._config import DEFAULT_RETRY, RetryConfig, channel_options
from hopfield_client._types import (
    LearningRule,
    MemoryInfo,
    Recall,
    RecallBatch,
    ServerInfo,
    StoredPattern,
    TieRule,
    UpdateRule,
)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


class _Connection:
    """A channel, and how calls go over it; what a client and its memories share."""

    def __init__(self, calls: ClientCalls, retry: RetryConfig) -> None:
        self._channel = grpc.insecure_channel(calls.address, options=channel_options(retry))
        self._calls = calls
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self._channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)

    def run(self, method: Method[RequestT, ResponseT], call: Call[RequestT, ResponseT, AnswerT]) -> AnswerT:
        try:
            response = method(call.request, timeout=self._calls.timeout)
        except grpc.RpcError as error:
            # Without gRPC's own error, which prints as many lines that say the same; it stays as __context__.
            raise self._calls.error(error) from None
        return call.read(response)

    def run_pages(
        self, method: Method[RequestT, ResponseT], call: PageCall[RequestT, ResponseT, ItemT] | None
    ) -> Iterator[ItemT]:
        while call is not None:
            page = self.run(method, call)
            yield from page.items
            call = page.following

    def run_stream(
        self,
        method: Method[RequestT, Iterable[ResponseT]],
        call: StreamCall[RequestT, ResponseT, AnswerT],
    ) -> AnswerT:
        try:
            for part in method(call.request, timeout=self._calls.timeout):
                call.take(part)
        except grpc.RpcError as error:
            raise self._calls.error(error) from None
        return call.finish()

    def close(self) -> None:
        self._channel.close()


class HopfieldClient:
    """A connection to a hopfield-recall server. Threads may share it; `with` closes it.

    Args:
        address: "host:port" of the server.
        timeout: seconds that any one call may take, repeats included; then it raises DeadlineExceeded. It holds for
            big batches and for whole weight matrices too: whoever moves those makes a client with more time for it.
        retry: how calls are repeated when the server is unavailable.

    What this client has written or read, it never reads an older state of, whichever replica answers.

    Every call that reaches the server may raise Unavailable, DeadlineExceeded and the other errors of HopfieldError; each call
    names those that its arguments can cause.
    """

    def __init__(self, address: str, *, timeout: float = 10.0, retry: RetryConfig = DEFAULT_RETRY) -> None:
        self._calls = ClientCalls(address, timeout)
        self._connection = _Connection(self._calls, retry)

    def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        rule: LearningRule = "hebbian",
        thresholds: ArrayLike | None = None,
        shape: Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> "Memory":
        """Makes an empty memory.

        Args:
            name: lowercase letters, digits, ".", "_" and "-", at most 128, the first a letter or a digit.
            neurons: number of neurons N of each pattern.
            rule: how stored patterns become weights: "hebbian" (for uncorrelated patterns, up to about 0.14 N of them) or
                "pseudo_inverse" (holds correlated ones, such as images).
            thresholds: threshold of each neuron, N numbers in the unit of the local field; None: all zero.
            shape: shape in which this handle gives stored patterns back, with N elements, such as (8, 8) for images; None: (N,).
                The handle knows it, the server does not.
            exist_ok: take the memory that is there, if it has the same neurons, rule and thresholds.

        Raises:
            AlreadyExists: the name is taken; with `exist_ok`, by a memory that differs.
            InvalidArgument: an unknown rule, a shape or thresholds that do not fit, a name or a number that is not allowed.
        """
        call = self._calls.create_memory(
            name, neurons, rule=rule, thresholds=thresholds, shape=shape, exist_ok=exist_ok
        )
        return Memory(self._connection, self._connection.run(self._connection.memories.CreateMemory, call))

    def memory(self, name: str) -> "Memory":
        """A handle of a memory. Asks nobody: whether the memory exists shows at its first call."""
        return Memory(self._connection, self._calls.memory(name))

    def list_memories(self, prefix: str = "") -> Iterator[MemoryInfo]:
        """Describes the memories whose names begin with `prefix`, in order of their names, fetched as they are consumed."""
        call = self._calls.list_memories(prefix)
        yield from self._connection.run_pages(self._connection.memories.ListMemories, call)

    def delete_memory(self, name: str, *, missing_ok: bool = False) -> None:
        """Deletes a memory and everything in it.

        Raises:
            NotFound: there is none of that name, and not `missing_ok`.
        """
        call = self._calls.delete_memory(name, missing_ok=missing_ok)
        self._connection.run(self._connection.memories.DeleteMemory, call)

    def import_weights(self, name: str, weights: ArrayLike, thresholds: ArrayLike | None = None) -> "Memory":
        """Makes a memory from weights given from outside. It recalls, but patterns cannot be stored in it.

        Args:
            name: as in `create_memory`.
            weights: (N, N) real numbers, finite and symmetric; the diagonal is kept as given.
            thresholds: threshold of each neuron, N numbers in the unit of the local field; None: all zero.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: the matrix is not square, symmetric or finite; the thresholds do not fit.
        """
        call = self._calls.import_weights(name, weights, thresholds)
        return Memory(self._connection, self._connection.run(self._connection.memories.ImportWeights, call))

    def server_info(self) -> ServerInfo:
        """Version, limits and rules of the server."""
        return self._connection.run(self._connection.server.GetServerInfo, self._calls.server_info())

    def close(self) -> None:
        """Closes the connection. Calls that are running raise Cancelled."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"HopfieldClient({self._calls.address!r})"


class Memory:
    """A handle of one memory, made by a client's `create_memory`, `import_weights` or `memory`.

    Patterns are arrays of booleans (True is +1) or of -1 and 1, of integer or float type. One pattern may have any shape with N
    elements: an image stays an image. Every call raises NotFound when there is no memory of that name.
    """

    def __init__(self, connection: _Connection, calls: MemoryCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape in which stored patterns are given back; None (a handle made without asking the server): (N,)."""
        return self._calls.shape

    def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None = None,
        *,
        replace: bool = False,
        expected_revision: int | None = None,
    ) -> MemoryInfo:
        """Learns patterns: all of them in one commit, or none.

        Args:
            patterns: (count, ...) array, the first axis counting patterns of N neurons, every value known. It is one pattern if
                `labels` is a single string, if it has one axis, or if it has N elements in all and the handle knows N (it does
                unless it comes from `client.memory`).
            labels: one label a pattern, or a string for one pattern; None: the server numbers them "0", "1", ...
            replace: a label that is stored already takes the new pattern.
            expected_revision: store only if the memory is at this revision.

        Returns:
            The memory right after this commit.

        Raises:
            AlreadyExists: a label is taken, and not `replace`.
            Conflict: the memory is at another revision than the one expected.
            FailedPrecondition: the weights were imported.
            InvalidArgument: values, sizes or labels that do not fit.
            ResourceExhausted: more patterns than the server holds, or takes in one call.
        """
        call = self._calls.store(patterns, labels, replace=replace, expected_revision=expected_revision)
        return self._connection.run(self._connection.memories.StorePatterns, call)

    def forget(self, labels: str | Iterable[str]) -> MemoryInfo:
        """Unlearns the patterns of these labels, all in one commit, or none, as if they had never been stored.

        Returns:
            The memory right after this commit.

        Raises:
            NotFound: a label is not stored.
            InvalidArgument: no label, or one twice.
        """
        return self._connection.run(self._connection.memories.ForgetPatterns, self._calls.forget(labels))

    def patterns(self) -> Iterator[StoredPattern]:
        """The stored patterns, oldest first, each int8 of -1 and 1 in the handle's shape, fetched as they are consumed."""
        call = self._calls.patterns()
        yield from self._connection.run_pages(self._connection.memories.ListPatterns, call)

    def pattern(self, label: str) -> NDArray[np.int8]:
        """One stored pattern, int8 of -1 and 1 in the handle's shape.

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
    ) -> Recall:
        """Runs the dynamics from a query until they settle. Not settling is an answer too: see `Recall.stop_reason`.

        Args:
            query: what is known of the pattern looked for: any shape with N elements, booleans, or -1 and 1 where 0 is a
                neuron nothing is known of.
            update: "asynchronous" (one neuron after the other; always ends) or "synchronous" (all at once; may end in a cycle).
            order: in which the neurons are updated one after the other: "random" (a fresh permutation each iteration),
                "sequential", or every neuron index once.
            seed: of all that is random, 0 to 2**64 - 1; None: the server draws one and says which.
            max_iterations: at most so many sweeps over all neurons.
            tie: what a neuron does at a local field of zero: "keep" its state, "plus" (+1) or "minus" (-1).
            clamp: hold the known neurons of the query fixed.

        Raises:
            InvalidArgument: a query of another size or of other values (integers of only 0 and 1 are refused: pass booleans);
                an unknown word; a number out of range.
            FailedPrecondition: the server's storage has lost commits that this client has seen. Raised once.
        """
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
        )
        return self._connection.run(self._connection.recalls.Recall, self._calls.recall(query, options))

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
    ) -> RecallBatch:
        """Runs the dynamics from each of many queries, in one call.

        Args:
            queries: (count, ...) array, the first axis counting queries, each as in `recall`.
            update: as in `recall`.
            order: as in `recall`.
            seed: as in `recall`; query k uses seed + k (modulo 2**64), and its answer is that of `recall` with that seed.
            max_iterations: as in `recall`.
            tie: as in `recall`.
            clamp: as in `recall`.

        Raises:
            InvalidArgument: as in `recall`.
            FailedPrecondition: as in `recall`.
            ResourceExhausted: more queries than the server takes in one call.
        """
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
        )
        return self._connection.run(self._connection.recalls.BatchRecall, self._calls.recall_batch(queries, options))

    def weights(self) -> NDArray[np.float64]:
        """The weights J that recall uses, (N, N), symmetric."""
        return self._connection.run_stream(self._connection.memories.GetWeights, self._calls.weights())

    def __repr__(self) -> str:
        return f"Memory({self.name!r})"
