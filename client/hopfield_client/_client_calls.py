"""The calls of a client: requests built and answers read, once, for both clients; everything about a call except sending it."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import grpc
from numpy.typing import ArrayLike

from hopfield.v1 import memory_pb2, memory_service_pb2, server_service_pb2
from hopfield_client import _answers, _weights
from hopfield_client._addresses import addresses_of
from hopfield_client._arguments import UINT32_MAX, flag, integer, shape_of, string
from hopfield_client._attractor_calls import RingCalls, SheetCalls
from hopfield_client._calls import Call, Page, PageCall, Upload, request_id
from hopfield_client._config import DEFAULT_RETRY, RetryConfig, retry_of, timeout_of
from hopfield_client._errors import DeadlineExceeded, HopfieldError, InvalidArgument
from hopfield_client._freshness import Freshness
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._model_specs import spec_of
from hopfield_client._models import Model, Modern, Ring, Sheet
from hopfield_client._retrying import Attempts
from hopfield_client._rpc_errors import from_rpc_error
from hopfield_client._spec import DEFAULTS, coding_of, new_spec, refuse_beside, thresholds_of
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, ServerInfo
from hopfield_client._words import CODINGS, number

MadeT = TypeVar("MadeT")
CreationCall: TypeAlias = Call[
    memory_service_pb2.CreateMemoryRequest,
    memory_service_pb2.CreateMemoryResponse,
    MemoryCalls | RingCalls | SheetCalls,
]


def temporary_name() -> str:
    """A name that no other memory has."""
    return f"temporary-{uuid.uuid4().hex}"


class ClientCalls:
    """The calls of a client."""

    def __init__(self, address: str | Sequence[str], timeout: float, retry: RetryConfig = DEFAULT_RETRY) -> None:
        self.addresses = addresses_of(address)
        self._timeout = timeout_of(timeout)
        self._retry = retry_of(retry)
        self._freshness = Freshness()

    def timeout(self, of_call: float | None) -> float:
        """The seconds a call may take: those given with it, or else the client's."""
        return self._timeout if of_call is None else timeout_of(of_call)

    def attempts(self, seconds: float) -> Attempts:
        """The attempts at a call that may take so many seconds, of which the first begins now."""
        return Attempts(self._retry, seconds)

    def error(
        self,
        error: grpc.RpcError,
        timeout: float,
        *,
        if_made: str,
        if_other_coding: str,
        arguments: Mapping[str, str] | None,
    ) -> HopfieldError:
        """The error to raise for one of gRPC's."""
        result = from_rpc_error(
            error,
            address=self.addresses.text,
            timeout=timeout,
            if_made=if_made,
            if_other_coding=if_other_coding,
            arguments=arguments,
            hint=self.addresses.hint(),
        )
        if result.reason == "REVISION_AHEAD":
            # The storage has lost commits this client saw. That is said once; then go on with what there is, or no
            # call on this memory would ever succeed again.
            self._freshness.drop(result.metadata.get("name", ""))
        return result

    def overdue(self, timeout: float) -> DeadlineExceeded:
        """The error to raise where an answer of a stream did not come in time."""
        return DeadlineExceeded(
            f"no answer from {self.addresses.text} within {timeout:g} s: raise timeout= if one needs longer"
        )

    def memory(self, name: str, shape: int | Sequence[int] | None = None, coding: Coding | None = None) -> MemoryCalls:
        """The calls of one memory."""
        if coding is not None:
            number(CODINGS, coding, "coding")
        return MemoryCalls(string(name, "name"), None if shape is None else shape_of(shape), coding, self._freshness)

    def ring(self, name: str) -> RingCalls:
        """The calls of one ring."""
        return RingCalls(string(name, "name"), self._freshness)

    def sheet(self, name: str) -> SheetCalls:
        """The calls of one sheet."""
        return SheetCalls(string(name, "name"), self._freshness)

    def create_memory(
        self,
        name: str,
        neurons: int | None,
        *,
        model: Model | None,
        rule: LearningRule,
        normalization: Normalization,
        thresholds: ArrayLike | None,
        self_coupling: bool,
        coding: Coding,
        kappa: float,
        max_sweeps: int,
        shape: int | Sequence[int] | None,
        exist_ok: bool,
    ) -> CreationCall:
        parameters: dict[str, Any] = {
            "rule": rule,
            "normalization": normalization,
            "thresholds": thresholds,
            "self_coupling": self_coupling,
            "coding": coding,
            "kappa": kappa,
            "max_sweeps": max_sweeps,
        }
        if isinstance(model, Ring | Sheet):
            if neurons is not None:
                kind, size = ("Ring", "neurons") if isinstance(model, Ring) else ("Sheet", "side")
                raise InvalidArgument(
                    f"neurons is given beside a {kind}, which says it itself: give it as {kind}({size}=...)",
                    field="neurons",
                )
            refuse_beside(model, {"shape": shape, **parameters}, DEFAULTS)
            made = self.ring(name) if isinstance(model, Ring) else self.sheet(name)
            return self._creation(name, spec_of(model), made, exist_ok=exist_ok)
        if neurons is None:
            raise InvalidArgument("neurons must be given, except with a Ring or a Sheet", field="neurons")
        neurons = integer(neurons, "neurons", 1, UINT32_MAX)
        spec = new_spec(neurons, model=model, **parameters)
        memory = self.memory(name, neurons if shape is None else shape, "real" if isinstance(model, Modern) else coding)
        if memory.neurons != neurons:
            raise InvalidArgument(
                f"shape {memory.shape} has {memory.neurons} elements; the memory has {neurons} neurons", field="shape"
            )
        return self._creation(name, spec, memory, exist_ok=exist_ok)

    def _creation(
        self,
        name: str,
        spec: memory_pb2.MemorySpec,
        made: MadeT,
        *,
        exist_ok: bool,
    ) -> Call[memory_service_pb2.CreateMemoryRequest, memory_service_pb2.CreateMemoryResponse, MadeT]:
        request = memory_service_pb2.CreateMemoryRequest(
            name=name,
            spec=spec,
            allow_existing=flag(exist_ok, "exist_ok"),
            request_id=request_id(),
        )
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.CreateMemoryResponse) -> MadeT:
            note(response.memory.uid, response.memory.revision)
            return made

        if_made = "finds the memory that was made" if exist_ok else "raises AlreadyExists"
        return Call(request, read, if_made)

    def import_weights(
        self, name: str, weights: ArrayLike, thresholds: ArrayLike | None, coding: Coding
    ) -> Upload[memory_service_pb2.ImportWeightsRequest, memory_service_pb2.ImportWeightsResponse, MemoryCalls]:
        matrix = _weights.square(weights)
        neurons = len(matrix)
        header = memory_service_pb2.ImportWeightsHeader(
            name=string(name, "name"),
            neurons=neurons,
            thresholds=[] if thresholds is None else thresholds_of(thresholds, neurons),
            request_id=request_id(),
            coding=coding_of(coding),
        )
        memory = self.memory(name, neurons, coding)
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.ImportWeightsResponse) -> MemoryCalls:
            note(response.memory.uid, response.memory.revision)
            return memory

        def begin(
            message_bytes: int,
        ) -> Call[
            Iterator[memory_service_pb2.ImportWeightsRequest], memory_service_pb2.ImportWeightsResponse, MemoryCalls
        ]:
            return Call(_weights.import_requests(header, matrix, message_bytes), read, "raises AlreadyExists")

        return Upload(matrix.nbytes + header.ByteSize(), begin)

    def list_memories(
        self, prefix: str, page_token: str = ""
    ) -> PageCall[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
        def read(
            response: memory_service_pb2.ListMemoriesResponse,
        ) -> Page[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
            token = response.next_page_token
            return Page(
                [_answers.memory_info(memory) for memory in response.memories],
                self.list_memories(prefix, token) if token else None,
            )

        request = memory_service_pb2.ListMemoriesRequest(prefix=string(prefix, "prefix"), page_token=page_token)
        return Call(request, read)

    def delete_memory(
        self, name: str, *, missing_ok: bool
    ) -> Call[memory_service_pb2.DeleteMemoryRequest, memory_service_pb2.DeleteMemoryResponse, None]:
        request = memory_service_pb2.DeleteMemoryRequest(
            name=string(name, "name"), allow_missing=flag(missing_ok, "missing_ok"), request_id=request_id()
        )
        if_made = "changes nothing" if missing_ok else "raises NotFound"
        return Call(request, lambda _: self._freshness.drop(name), if_made)

    def server_info(
        self,
    ) -> Call[server_service_pb2.GetServerInfoRequest, server_service_pb2.GetServerInfoResponse, ServerInfo]:
        return Call(server_service_pb2.GetServerInfoRequest(), _answers.server_info)
