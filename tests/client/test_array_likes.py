"""What callers hand over as patterns: the arrays of other libraries work, or are refused with the cure."""

import array
import collections
import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from hopfield_client import HopfieldClient, InvalidArgument, Memory, Modern

X = np.random.default_rng(0).choice([-1, 1], (4, 12)).astype(np.int8)
LABELS = list("abcd")
FRAME = pd.DataFrame(X.astype(int), index=LABELS, columns=[f"n{i}" for i in range(12)])


class Tensor:
    """As of a library whose tensors numpy reads, and whose shapes it need not know."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self._values if dtype is None else self._values.astype(dtype)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> "Tensor":
        return Tensor(self._values[index])


class TensorElsewhere:
    """As torch's on a graphics card, or with a gradient."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise self._error


class Sparse:
    """As scipy's, which numpy takes for one object."""

    def toarray(self) -> NDArray[Any]:
        return X


@pytest.fixture
def memory(client: HopfieldClient, name: str) -> Memory:
    return client.create_memory(name, 12, rule="pseudo_inverse")


def of_library(name: str, made: Callable[[Any], Any]) -> Any:
    """What a library makes that is not installed for every test run."""
    return made(pytest.importorskip(name))


READ: dict[str, Callable[[], Any]] = {
    "a list of lists": X.tolist,
    "a list of arrays": lambda: list(X),
    "a deque": lambda: collections.deque(X.tolist()),
    "arrays of the standard library": lambda: [array.array("b", row.tolist()) for row in X],
    "big-endian integers": lambda: X.astype(">i4"),
    "long doubles": lambda: X.astype(np.longdouble),
    "objects that are integers": lambda: X.astype(object),
    "objects that are booleans": lambda: (X > 0).astype(object),
    "an object column of arrays": lambda: pd.Series(list(X)),
    "an object column of lists": lambda: pd.DataFrame({"v": X.tolist()})["v"],
    "a frame": lambda: FRAME,
    "a frame of nullable integers": lambda: FRAME.astype("Int8"),
    "a frame of nullable booleans": lambda: (FRAME > 0).astype("boolean"),
    "a frame of nullable floats": lambda: FRAME.astype("Float64"),
    "a tensor": lambda: Tensor(X),
    "a list of tensors": lambda: [Tensor(row) for row in X],
    "images of black and white": lambda: [Image.fromarray(row.reshape(3, 4) > 0) for row in X],
    "a polars frame": lambda: of_library("polars", lambda pl: pl.DataFrame(X.tolist(), orient="row")),
    "a polars column of lists": lambda: of_library("polars", lambda pl: pl.Series(X.tolist())),
    "an Arrow table": lambda: of_library("pyarrow", lambda pa: pa.table({f"n{i}": X[:, i] for i in range(12)})),
    "an Arrow array of lists": lambda: of_library("pyarrow", lambda pa: pa.array(X.tolist())),
    "a torch tensor": lambda: of_library("torch", lambda torch: torch.from_numpy(X)),
}


@pytest.mark.parametrize("patterns", READ.values(), ids=READ.keys())
def test_what_numpy_reads_is_stored_and_recalled(memory: Memory, patterns: Callable[[], Any]) -> None:
    memory.store(patterns(), LABELS)
    assert [pattern.tolist() for _, pattern in memory.patterns()] == X.tolist()
    assert memory.recall_batch(patterns()).labels.tolist() == LABELS
    assert [answer.label for answer in memory.recall_stream(patterns())] == LABELS


GREY = np.where(X > 0, 255, 0).astype(np.uint8)
REFUSED: dict[str, tuple[Any, str]] = {
    "a generator": ((row for row in X), r"of type generator; .*: pass list\({}\)$"),
    "a map": (map(np.sign, X), r"of type map; .*: pass list\({}\)$"),
    "the values of a mapping": ({"a": X[0]}.values(), r"of type dict_values; .*: pass list\({}\)$"),
    "a mapping": ({"a": X[0]}, r"is a mapping \(dict\): pass list\({}\.values\(\)\)$"),
    "a set": ({(1, -1), (-1, 1)}, r"is a set \(set\), which has no order: pass a list$"),
    "nothing": (None, r"is of type NoneType; it must be an array or a list: a pattern is booleans, or -1 and 1$"),
    "text": ("+-+-", r"holds values of type <U4: a pattern is "),
    "a sparse matrix": (Sparse(), r"is a sparse matrix \(Sparse\): pass {}\.toarray\(\)$"),
    "a tensor with a gradient": (
        TensorElsewhere(RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy().")),
        r"cannot be read as an array: Can't call numpy\(\) .* Use tensor\.detach\(\)\.numpy\(\)\.$",
    ),
    "a tensor elsewhere": (
        TensorElsewhere(TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")),
        r"cannot be read as an array: can't convert cuda:0 .* Use Tensor\.cpu\(\)$",
    ),
    "decimal fractions": (
        [[decimal.Decimal(1)] * 12] * 4,
        r"\[0, 0\] is Decimal\('1'\) of type Decimal: .*; pass np\.asarray\({}, float\)$",
    ),
    "a frame with a column of text": (FRAME.assign(text="x"), r"\[0, 12\] is 'x' of type str: a pattern is "),
    "a frame with a missing value": (FRAME.astype("Int8").mask(FRAME > 0), r"\[0, \d+\] is <NA> of type NAType: "),
    "grey levels": (GREY, r"is 255: .*; for grey levels pass booleans, such as np\.asarray\({}\) > 127$"),
    "a grey image": (
        [Image.fromarray(row.reshape(3, 4)) for row in GREY],
        r"is 255: .*; for grey levels pass booleans, such as np\.asarray\({}\) > 127$",
    ),
    "grey levels from 0 to 1": (np.full((4, 12), 0.3), r"is 0\.3: .*, such as np\.asarray\({}\) > 0\.5$"),
    "-1 wrapped around": (X.astype(np.uint8), r"is 255: .*; -1 wraps around in uint8: pass {}\.astype\(np\.int8\)$"),
    "complex numbers": (X * 1j, r"holds complex numbers: .*, pass {}\.real$"),
    "rows of other lengths": ([[1, -1], [1]], r"cannot be read as an array: its rows differ in length$"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_it_cannot_read_is_refused_with_the_cure(memory: Memory, values: Any, message: str) -> None:
    for argument, call in (("patterns", memory.store), ("queries", memory.recall_batch)):
        with pytest.raises(InvalidArgument, match=f"^{argument}.*{message.format(argument)}") as refused:
            call(values)
        assert refused.value.field == argument


def test_a_query_with_missing_values_is_told_how_to_mask_them(memory: Memory) -> None:
    memory.store(X, LABELS)
    query = np.where(np.arange(12) < 1, np.nan, X[1])
    with pytest.raises(InvalidArgument, match=r"query\[0\] is nan: .*, pass np\.ma\.masked_invalid\(query\)$"):
        memory.recall(query)
    assert memory.recall(np.ma.masked_invalid(query)).label == "b"


def test_a_stream_takes_the_rows_of_a_table_and_no_mapping(memory: Memory) -> None:
    memory.store(X, LABELS)
    assert [answer.label for answer in memory.recall_stream(FRAME)] == LABELS
    assert [answer.label for answer in memory.recall_stream(FRAME.itertuples(index=False))] == LABELS
    with pytest.raises(InvalidArgument, match=r"^queries is a mapping, .*: pass queries\.values\(\)$"):
        list(memory.recall_stream(dict(zip(LABELS, X, strict=True))))


def test_real_numbers_of_a_frame(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 12, model=Modern(beta=4))
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(4, 12))).astype("Float64")
    memory.store(frame, LABELS)
    assert memory.recall(frame.iloc[2]).label == "c"


def test_weights_that_are_sparse_are_told_how_to_be_dense(client: HopfieldClient, name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^weights is a sparse matrix \(Sparse\): pass weights\.toarray\(\)$"):
        client.import_weights(name, Sparse())  # type: ignore[arg-type]
    sparse = of_library("scipy.sparse", lambda sparse: sparse.eye(4))
    with pytest.raises(InvalidArgument, match=r"^weights is a sparse matrix \(\w+\): pass weights\.toarray\(\)$"):
        client.import_weights(name, sparse)


# Labels


@pytest.mark.parametrize(
    "labels", [FRAME.index, pd.Series(LABELS), pd.Categorical(LABELS), np.array(LABELS), dict.fromkeys(LABELS)]
)
def test_labels_come_in_any_order_of_strings(memory: Memory, labels: Any) -> None:
    assert memory.store(X, labels).labels == tuple(LABELS)


@pytest.mark.parametrize("unordered", [set(LABELS), frozenset(LABELS)])
def test_labels_without_an_order_are_refused_where_they_need_one(memory: Memory, unordered: Any) -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"^labels is a (frozen)?set, which has no order: pass a list, in the order of the patterns$",
    ):
        memory.store(X, unordered)
    memory.store(X, LABELS)
    assert memory.forget(unordered).pattern_count == 0


def test_the_label_of_a_pattern_is_no_integer(memory: Memory) -> None:
    with pytest.raises(InvalidArgument, match=r"^label is 3; it must be a string: pass str\(label\)$"):
        memory.pattern(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"^labels\[0\] is 0; .*: pass \[str\(label\) for label in labels\]$"):
        memory.store(X, pd.RangeIndex(4))


# Batches without queries


@pytest.mark.parametrize(
    ("queries", "dtype"), [([], np.int8), (np.empty((0, 12)), np.int8), (np.empty((0, 3, 4), bool), np.bool_)]
)
def test_a_batch_without_queries_is_answered_without_answers(memory: Memory, queries: Any, dtype: type) -> None:
    batch = memory.recall_batch(queries)
    assert (len(batch), list(batch), batch.revision, batch.uid) == (0, [], 0, "")
    assert batch.patterns.shape == np.shape(queries)
    assert batch.patterns.dtype == dtype
    assert batch.labels.tolist() == batch.matches.tolist() == batch.converged.tolist() == batch.seeds.tolist() == []
    assert "0 answers" in repr(batch)
    assert memory.recall_batch(queries, progress=True).uid == ""


def test_a_batch_without_queries_of_real_numbers(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 12, model=Modern(beta=4))
    assert memory.recall_batch(np.empty((0, 12))).patterns.dtype == np.float32


def test_a_batch_without_queries_of_another_size_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidArgument, match=r"^queries has the shape \(0, 7\), which makes 7 neurons a pattern"):
        memory.recall_batch(np.empty((0, 7)))
