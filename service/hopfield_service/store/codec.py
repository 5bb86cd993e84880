"""Texts, specs and labels as they are written: what the head, the log, notes and blobs have in common.

A JSON value stands behind the BLAKE2b checksum of its text. The long lists of numbers in a spec (its *bulk*) are no JSON:
they stand beside it, as float64.
"""

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hopfield_service.core.families import spec_from_parameters
from hopfield_service.core.network import Spec


class Corrupt(Exception):
    """Bytes from Redis are not what was written."""


def checksum(payload: bytes | memoryview) -> str:
    """BLAKE2b of some bytes, 128 bits in hexadecimal."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def sealed(value: Any) -> str:
    """A JSON value behind the checksum of its text."""
    text = json.dumps(value)
    return f"{checksum(text.encode())} {text}"


def unsealed(text: bytes) -> Any:
    """Reads what `sealed` wrote.

    Raises:
        Corrupt: it is not that.
    """
    expected, _, payload = text.partition(b" ")
    if checksum(payload).encode() != expected:
        raise Corrupt("the checksum of a text is wrong")
    return json.loads(payload)


def written_spec(spec: Spec) -> tuple[str, bytes]:
    """A spec as it stands in a head: a text, and the bulk that the text has the checksum of, b"" for none."""
    parameters = spec.parameters()
    arrays = {name: np.array(value, "<f8") for name, value in parameters.items() if isinstance(value, list) and value}
    bulk = b"".join(array.tobytes() for array in arrays.values())
    small = {name: value for name, value in parameters.items() if name not in arrays}
    described = {
        "bulk": {name: len(array) for name, array in arrays.items()},
        "bulk_checksum": checksum(bulk),
    }
    return sealed({"family": spec.family, **small, **(described if arrays else {})}), bulk


def read_spec(text: bytes, bulk: bytes) -> Spec:
    """Reads what `written_spec` wrote. The first versions wrote everything into the text.

    Raises:
        Corrupt: it is not one, or the bulk is that of another.
    """
    try:
        parameters = unsealed(text)
        counts = parameters.pop("bulk", {})
        if counts and checksum(bulk) != parameters.pop("bulk_checksum"):
            raise Corrupt("the checksum of the bulk of a spec is wrong")
        start = 0
        for name, count in counts.items():
            parameters[name] = np.frombuffer(bulk, "<f8", count, start).tolist()
            start += 8 * count
        return spec_from_parameters(parameters.pop("family"), parameters)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("a spec does not parse") from error


def bulk_nbytes(text: bytes) -> int:
    """How many bytes of bulk a text of `written_spec` asks for.

    Raises:
        Corrupt: it is no such text.
    """
    try:
        return int(8 * sum(unsealed(text).get("bulk", {}).values()))
    except (ValueError, TypeError, AttributeError) as error:
        raise Corrupt("a spec does not parse") from error


def spec_bytes(spec: Spec) -> bytes:
    """A spec as it stands in a log entry or a blob: the text, and on a new line its bulk."""
    text, bulk = written_spec(spec)
    return text.encode() + (b"\n" + bulk if bulk else b"")


def read_spec_bytes(payload: bytes) -> Spec:
    """Reads what `spec_bytes` wrote.

    Raises:
        Corrupt: it is not that.
    """
    text, _, bulk = payload.partition(b"\n")
    return read_spec(text, bulk)


def label_bytes(labels: Sequence[str]) -> bytes:
    """Labels as they are written: the bytes that each takes in UTF-8, as uint32, and then these bytes."""
    encoded = [label.encode() for label in labels]
    return np.array([len(label) for label in encoded], "<u4").tobytes() + b"".join(encoded)


def read_label_bytes(payload: bytes | memoryview, count: int) -> tuple[tuple[str, ...], memoryview]:
    """Reads what `label_bytes` wrote of so many labels.

    Returns:
        The labels, and the bytes after them.

    Raises:
        ValueError: it is not that.
    """
    view = memoryview(payload)
    if not count:
        return (), view
    ends = np.cumsum(np.frombuffer(view, "<u4", count), dtype=np.int64) + 4 * count
    if ends[-1] > len(view):
        raise ValueError("labels are cut off")
    starts = [4 * count, *ends.tolist()]
    labels = tuple(str(view[start:end], "utf-8") for start, end in pairwise(starts))
    return labels, view[starts[-1] :]
