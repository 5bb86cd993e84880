"""The client whose calls block."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self, TypeVar

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_service_pb2_grpc, recall_service_pb2_grpc, server_service_pb2_grpc
from hopfield_client._arguments import recall_options
from hopfield_client._calls import Call, ClientCalls, MemoryCalls, Method, PageCall, StreamCall
from hopfield_client._config import DEFAULT_RETRY, RetryConfig, channel_options
from hopfield_client._errors import ClientClosed
from hopfield_client._types import (
    LearningRule,
    MemoryInfo,
    Recall,
    RecallBatch,
    ServerInfo,
    Stored,
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
        self._closed = False
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self._channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)

    def run(
        self,
        method: Method[RequestT, ResponseT],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(seconds, call.if_made):
            response = method(call.request, timeout=seconds)
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
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(seconds):
            for part in method(call.request, timeout=seconds):
                call.take(part)
        return call.finish()

    def close(self) -> None:
        self._closed = True
        self._channel.close()

    @contextmanager
    def _errors(self, timeout: float, if_made: str = "") -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            # Without gRPC's own error, which prints as many lines that say the same; it stays as __context__.
            raise self._calls.error(error, timeout, if_made) from None
        except ValueError:
            # What gRPC raises of a closed channel.
            if self._closed:
                raise ClientClosed("the client is closed") from None
            raise


class HopfieldClient:
    """A connection to a hopfield-recall server. Threads may share it; `with` closes it.

    Args:
        address: "host:port" of the server, or a target as gRPC spells them, such as "unix:/path" or "dns:///host:port".
        timeout: seconds that any one call may take, repeats included; then it raises DeadlineExceeded. Calls that can take long
            have a `timeout` of their own, which stands in for this one.
        retry: how calls are repeated when the server is unavailable.

    What this client has written or read, it never reads an older state of, whichever replica answers.

    Every call that reaches the server may raise Unavailable, DeadlineExceeded and the other errors of HopfieldError; each call
    names those that its arguments can cause. After `close` they raise ClientClosed.
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
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> "Memory":
        """Makes an empty memory.

        Args:
            name: lowercase letters, digits, ".", "_" and "-", at most 128, the first a letter or a digit.
            neurons: number of neurons N of each pattern.
            rule: how stored patterns become weights: "hebbian" (for uncorrelated patterns, up to about 0.14 N of them) or
                "pseudo_inverse" (holds correlated ones, such as images).
            thresholds: threshold of each neuron, N numbers in the unit of the local field; None: all zero.
            shape: shape of one pattern, with N elements, such as (8, 8) for images, in which this handle gives stored patterns
                back; None: (N,). The handle knows it, the server does not.
            exist_ok: take the memory that is there, if it has the same neurons, rule and thresholds.

        Raises:
            AlreadyExists: the name is taken; with `exist_ok`, by a memory that differs.
            InvalidArgument: an unknown rule, a shape or thresholds that do not fit, a name or a number that is not allowed.
        """
        call = self._calls.create_memory(
            name, neurons, rule=rule, thresholds=thresholds, shape=shape, exist_ok=exist_ok
        )
        return Memory(self._connection, self._connection.run(self._connection.memories.CreateMemory, call))

    def memory(self, name: str, *, shape: int | Sequence[int] | None = None) -> "Memory":
        """A handle of a memory. Asks nobody: whether the memory exists shows at its first call.

        Args:
            name: its name.
            shape: shape of one pattern, with N elements, as in `create_memory`. None: the handle does not know N; it gives stored
                patterns back as (N,), and takes an array of several axes for several patterns.
        """
        return Memory(self._connection, self._calls.memory(name, shape))

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

    def import_weights(
        self,
        name: str,
        weights: ArrayLike,
        thresholds: ArrayLike | None = None,
        *,
        timeout: float | None = None,
    ) -> "Memory":
        """Makes a memory from weights given from outside. It recalls, but patterns cannot be stored in it.

        Args:
            name: as in `create_memory`.
            weights: (N, N) real numbers, finite and symmetric; the diagonal is kept as given.
            thresholds: threshold of each neuron, N numbers in the unit of the local field; None: all zero.
            timeout: seconds this call may take; None: the client's.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: the matrix is not square, symmetric or finite; the thresholds do not fit.
        """
        call = self._calls.import_weights(name, weights, thresholds)
        return Memory(self._connection, self._connection.run(self._connection.memories.ImportWeights, call, timeout))

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
        """Shape of one pattern, in which stored ones are given back; None where `client.memory` was told none: (N,)."""
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
        timeout: float | None = None,
    ) -> Stored:
        """Learns patterns: all of them in one commit, or none.

        Args:
            patterns: (count, ...) array, the first axis counting patterns of N neurons, every value known. It is one pattern if
                `labels` is a single string, if it has one axis, or if it has N elements in all and the handle knows N (it does
                unless it comes from `client.memory` without a shape).
            labels: one label a pattern, or a string for one pattern; None: the server numbers them "0", "1", ...
            replace: a label that is stored already takes the new pattern.
            expected_revision: store only if the memory is at this revision.
            timeout: seconds this call may take; None: the client's.

        Returns:
            The memory right after this commit, and the labels of the patterns.

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
        timeout: float | None = None,
    ) -> Recall:
        """Runs the dynamics from a query until they settle. Not settling is an answer too: see `Recall.stop_reason`.

        Args:
            query: what is known of the pattern looked for: any shape with N elements, booleans, or -1 and 1. A neuron nothing is
                known of is 0 among -1 and 1, or masked in a numpy masked array of any of these. Numbers that are only 0s and 1s
                may be meant either way and are refused: pass booleans, or `np.ma.masked_equal(query, 0)` where 0 is unknown.
            update: "asynchronous" (one neuron after the other; always ends) or "synchronous" (all at once; may end in a cycle).
            order: in which the neurons are updated one after the other: "random" (a fresh permutation each iteration),
                "sequential", or every neuron index once.
            seed: of all that is random, 0 to 2**64 - 1; None: the server draws one and says which.
            max_iterations: at most so many sweeps over all neurons.
            tie: what a neuron does at a local field of zero: "keep" its state, "plus" (+1) or "minus" (-1).
            clamp: hold the known neurons of the query fixed.
            timeout: seconds this call may take; None: the client's.

        Raises:
            InvalidArgument: a query of another size or of other values; an unknown word; a number out of range; an order with
                synchronous updating.
            FailedPrecondition: the server's storage has lost commits that this client has seen. Raised once.
        """
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
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
        timeout: float | None = None,
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
            timeout: as in `recall`.

        Raises:
            InvalidArgument: as in `recall`.
            FailedPrecondition: as in `recall`.
            ResourceExhausted: more queries than the server takes in one call.
        """
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
        )
        call = self._calls.recall_batch(queries, options)
        return self._connection.run(self._connection.recalls.BatchRecall, call, timeout)

    def weights(self, *, timeout: float | None = None) -> NDArray[np.float64]:
        """The weights J that recall uses, (N, N), symmetric. They may take `timeout` seconds; None: the client's timeout."""
        return self._connection.run_stream(self._connection.memories.GetWeights, self._calls.weights(), timeout)

    def __repr__(self) -> str:
        return f"Memory({self.name!r})"
