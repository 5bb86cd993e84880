"""Weight matrices as they travel: a header, then whole rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_service_pb2
from hopfield_client._arguments import real_numbers
from hopfield_client._errors import DataLoss, InvalidArgument

# Large enough that messages cost little, small enough for every limit on a message.
_CHUNK_BYTES = 1024 * 1024

# Of the field that holds rows: its number and their length.
_TAG_BYTES = 16

# The wire's type of a weight, whatever the machine's byte order.
_WIRE_TYPE = np.dtype("<f8")


def square(weights: ArrayLike) -> NDArray[np.float64]:
    """The weights as an (N, N) matrix; whether it is symmetric and finite the server checks.

    Raises:
        InvalidArgument: it is not square, or holds other things than real numbers.
    """
    matrix = real_numbers(weights, "weights")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InvalidArgument(f"weights has the shape {matrix.shape}; it must be (N, N)", field="weights")
    return matrix


def import_requests(
    header: memory_service_pb2.ImportWeightsHeader, matrix: NDArray[np.float64], message_bytes: int
) -> Iterator[memory_service_pb2.ImportWeightsRequest]:
    """The header, then the rows, in messages of at most so many bytes, or of a row."""
    yield memory_service_pb2.ImportWeightsRequest(header=header)
    chunk = min(_CHUNK_BYTES, message_bytes - _TAG_BYTES)
    step = max(1, chunk // (len(matrix) * _WIRE_TYPE.itemsize))
    for first in range(0, len(matrix), step):
        rows = matrix[first : first + step].astype(_WIRE_TYPE, copy=False)
        yield memory_service_pb2.ImportWeightsRequest(rows=rows.tobytes())


class WeightsReader:
    """Puts a matrix together from the parts in which it arrives."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begins again, with the parts of another attempt."""
        self._header: memory_service_pb2.GetWeightsHeader | None = None
        self._matrix = np.empty(0)
        self._filled = 0

    def take(self, part: memory_service_pb2.GetWeightsResponse) -> None:
        """Takes in the next part.

        Raises:
            DataLoss: the parts are not those of one matrix.
        """
        if part.WhichOneof("part") == "header" and self._header is None:
            self._header = part.header
            self._matrix = np.empty(part.header.neurons**2)
            return
        if len(part.rows) % _WIRE_TYPE.itemsize or self._filled + len(part.rows) // _WIRE_TYPE.itemsize > len(
            self._matrix
        ):
            raise DataLoss("the weights do not arrive as the server announced them")
        rows = np.frombuffer(part.rows, _WIRE_TYPE)
        self._matrix[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def finish(self) -> tuple[memory_service_pb2.GetWeightsHeader, NDArray[np.float64]]:
        """The header and the (N, N) matrix, once all parts are there.

        Raises:
            DataLoss: parts are missing.
        """
        if self._header is None or self._filled != len(self._matrix):
            raise DataLoss("the weights broke off before the last row")
        return self._header, self._matrix.reshape(self._header.neurons, self._header.neurons)
