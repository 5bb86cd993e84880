"""The client whose calls block."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Self, overload

from numpy.typing import ArrayLike

from hopfield_client._attractor_calls import RingCalls, SheetCalls
from hopfield_client._client_calls import ClientCalls, CreationCall, temporary_name
from hopfield_client._config import DEFAULT_RETRY, RetryConfig
from hopfield_client._connection import Connection
from hopfield_client._errors import HopfieldError
from hopfield_client._memory import Memory
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._models import Model, PatternModel, Ring, Sheet
from hopfield_client._ring_memory import RingMemory
from hopfield_client._sheet_memory import SheetMemory
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, ServerInfo


class HopfieldClient:
    """A connection to a hopfield-recall server. Threads may share it; `with` closes it.

    Args:
        address: "host:port" of the server, or "unix:/path". Of several servers on one storage "ip:port,ip:port" or a list
            of them, or "dns:///name:port" of a name that stands for them all: calls go in turn to each that says it serves.
        timeout: seconds that any one call may take, repeats included; then it raises DeadlineExceeded. Calls that can take long
            have a `timeout` of their own, which stands in for this one.
        retry: how calls are repeated when the server is unavailable or overloaded.

    It pickles, and so do its handles: a copy connects by itself. In a process forked from this one it connects anew.

    What this client has written or read, it never reads an older state of, whichever replica answers.

    Every call that reaches the server may raise Unavailable, DeadlineExceeded and the other errors of HopfieldError; each call
    names those that its arguments can cause. After `close` they raise ClientClosed.
    """

    def __init__(
        self, address: str | Sequence[str], *, timeout: float = 10.0, retry: RetryConfig = DEFAULT_RETRY
    ) -> None:
        self._calls = ClientCalls(address, timeout, retry)
        self._connection = Connection(self._calls)

    @overload
    def create_memory(self, name: str, *, model: Ring, exist_ok: bool = False) -> RingMemory: ...

    @overload
    def create_memory(self, name: str, *, model: Sheet, exist_ok: bool = False) -> SheetMemory: ...

    @overload
    def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        model: PatternModel | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> Memory: ...

    def create_memory(
        self,
        name: str,
        neurons: int | None = None,
        *,
        model: Model | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> Memory | RingMemory | SheetMemory:
        """Makes an empty memory, or an attractor.

        Args:
            name: lowercase letters, digits, ".", "_" and "-", at most 128, the first a letter or a digit.
            neurons: number of neurons N of each pattern. Not with a Ring or a Sheet, which say it themselves.
            model: another kind of network than the classical one with a weight for each pair of neurons, such as `Dense(degree=3)`,
                `Dense(exponential=True)`, `Modern(beta=8)`, `Ring()` or `Sheet()`. It has none of the parameters from `rule` to `max_sweeps`; a
                Ring and a Sheet, which store no patterns, have no `shape` either.
            rule: how stored patterns become weights: "hebbian" (for uncorrelated patterns, up to about 0.14 N of them), "storkey"
                or "storkey_second_order" (more of them, and somewhat correlated ones; their order matters), "pseudo_inverse"
                (holds correlated ones, such as images) or "perceptron" (sweeps over the patterns until each is stable with a
                margin; holds correlated ones).
            normalization: what Hebb's sums of outer products are divided by: "neurons" (N), "patterns" (P; energies, and what
                thresholds and temperatures mean, then change with P) or "none"; other than "neurons" with "hebbian" only.
            thresholds: threshold of each neuron, N numbers in the unit of the local field, or one for them all; None: all zero.
            self_coupling: keep the diagonal that the rule gives, instead of zero. Few memories are
                better for it. In 0/1 coding half of it is a part of the field, whatever the
                neuron's own value.
            coding: the two values a neuron has: "bipolar" (-1 and 1) or "binary" (0 and 1). Energies, thresholds and weights are in
                this coding too. Cannot be changed.
            kappa: margin of the perceptron rule, in the unit of the local field: at least 0; other than 1 with "perceptron" only.
            max_sweeps: sweeps over all patterns after which the perceptron rule gives up, 1 to 1,000,000; other than 1000 with
                "perceptron" only.
            shape: shape of one pattern, with N elements, such as (8, 8) for images, in which this handle gives stored patterns
                back; None: (N,). The handle knows it, the server does not.
            exist_ok: take the memory that is there, if all of this but the shape is the same.

        Raises:
            AlreadyExists: the name is taken; with `exist_ok`, by a memory that differs: the message says in what, and
                `metadata["differs"]` lists the parameters.
            InvalidArgument: an unknown word, a shape or thresholds that do not fit, a name or a number that is not allowed, a
                parameter that the rule or the model does not have.
        """
        call = self._calls.create_memory(
            name,
            neurons,
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            coding=coding,
            kappa=kappa,
            max_sweeps=max_sweeps,
            shape=shape,
            exist_ok=exist_ok,
        )
        return self._handle(self._connection.run(self._connection.memories.CreateMemory, call))

    @overload
    def temporary_memory(
        self, neurons: None = None, *, name: str | None = None, model: Ring
    ) -> AbstractContextManager[RingMemory]: ...

    @overload
    def temporary_memory(
        self, neurons: None = None, *, name: str | None = None, model: Sheet
    ) -> AbstractContextManager[SheetMemory]: ...

    @overload
    def temporary_memory(
        self,
        neurons: int,
        *,
        name: str | None = None,
        model: PatternModel | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
    ) -> AbstractContextManager[Memory]: ...

    def temporary_memory(
        self,
        neurons: int | None = None,
        *,
        name: str | None = None,
        model: Model | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
    ) -> AbstractContextManager[Memory | RingMemory | SheetMemory]:
        """Make a memory for the time of a `with` block, and delete it at its end, whatever happened in it.

            with client.temporary_memory(64, rule="pseudo_inverse", shape=(8, 8)) as memory:
                memory.store(images)

        Args:
            neurons: as in `create_memory`, and so are the others.
            name: its name; None: one that no other memory has, "temporary-" and 32 hexadecimal digits.
            model: another kind of network than the classical one.
            rule: how stored patterns become weights.
            normalization: what Hebb's sums of outer products are divided by.
            thresholds: threshold of each neuron, or one for them all.
            self_coupling: keep the diagonal that the rule gives.
            coding: the two values a neuron has.
            kappa: margin of the perceptron rule.
            max_sweeps: sweeps after which the perceptron rule gives up.
            shape: shape of one pattern.

        Raises:
            AlreadyExists: the name is taken. That memory stays.
            InvalidArgument: as in `create_memory`.
        """
        call = self._calls.create_memory(
            temporary_name() if name is None else name,
            neurons,
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            coding=coding,
            kappa=kappa,
            max_sweeps=max_sweeps,
            shape=shape,
            exist_ok=False,
        )
        return self._temporary(call)

    @contextmanager
    def _temporary(self, call: CreationCall) -> Iterator[Memory | RingMemory | SheetMemory]:
        memory = self._handle(self._connection.run(self._connection.memories.CreateMemory, call))
        try:
            yield memory
        except BaseException as error:
            # What failed inside `with` matters more than what is left behind.
            try:
                self.delete_memory(memory.name, missing_ok=True)
            except HopfieldError as not_deleted:
                error.add_note(f"the temporary memory {memory.name!r} was not deleted: {not_deleted}")
            raise
        self.delete_memory(memory.name, missing_ok=True)

    def _handle(self, calls: MemoryCalls | RingCalls | SheetCalls) -> Memory | RingMemory | SheetMemory:
        if isinstance(calls, RingCalls):
            return RingMemory(self._connection, calls)
        if isinstance(calls, SheetCalls):
            return SheetMemory(self._connection, calls)
        return Memory(self._connection, calls)

    def memory(self, name: str, *, shape: int | Sequence[int] | None = None, coding: Coding | None = None) -> Memory:
        """A handle of a memory. Asks nobody: whether the memory exists shows at its first call.

        Args:
            name: its name.
            shape: shape of one pattern, with N elements, as in `create_memory`. None: the handle does not know N; it gives stored
                patterns back as (N,), and takes an array of several axes for several patterns.
            coding: its coding, as in `create_memory`, or "real" of a memory of Modern. None: the handle does not know it; numbers are taken for -1 and 1 if -1 is
                among them, for 0 and 1 if 0 is and -1 is not, and refused by the server where they do not fit.

        Raises:
            InvalidArgument: no such coding; a shape that is none.
        """
        return Memory(self._connection, self._calls.memory(name, shape, coding))

    def ring(self, name: str) -> RingMemory:
        """A handle of a ring attractor. Asks nobody: whether the memory exists, and is a ring, shows at its first call."""
        return RingMemory(self._connection, self._calls.ring(name))

    def sheet(self, name: str) -> SheetMemory:
        """A handle of a sheet attractor. Asks nobody: whether the memory exists, and is a sheet, shows at its first call."""
        return SheetMemory(self._connection, self._calls.sheet(name))

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
        coding: Coding = "bipolar",
        *,
        timeout: float | None = None,
    ) -> Memory:
        """Makes a memory from weights given from outside. It recalls, but patterns cannot be stored in it.

        Args:
            name: as in `create_memory`.
            weights: (N, N) real numbers, finite and symmetric; the diagonal is kept as given. Of 0
                and 1, `V_i V_i = V_i`: there a diagonal is linear, and a QUBO `min V'QV` is
                `weights=-(Q + Q.T)`, `coding="binary"`.
            thresholds: threshold of each neuron, N numbers in the unit of the local field, or one for them all; None: all zero.
            coding: the coding that weights and thresholds are for, as in `create_memory`.
            timeout: seconds this call may take; None: the client's.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: the matrix is not square, symmetric or finite; the thresholds do not fit.
        """
        call = self._calls.import_weights(name, weights, thresholds, coding)
        made = self._connection.run_upload(self._connection.memories.ImportWeights, call, timeout)
        return Memory(self._connection, made)

    def server_info(self) -> ServerInfo:
        """Version, limits and rules of the server."""
        return self._connection.run(self._connection.server.GetServerInfo, self._calls.server_info())

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server serves, or of several servers one does, as it tells by grpc.health.v1.

        Args:
            timeout: seconds to wait. The first start of a server compiles its kernels, for up to a minute.

        Raises:
            Unavailable: no server was ready in time; the message says why.
        """
        self._connection.wait_until_ready(timeout)

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
        return f"HopfieldClient({self._calls.addresses.text!r})"
