"""How a recall is run, checked before anything is sent."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hopfield.v1 import recall_service_pb2
from hopfield_client._arguments import UINT32_MAX, UINT64_MAX, flag, integer, not_negative, real_numbers
from hopfield_client._errors import InvalidArgument
from hopfield_client._types import Coding, TieRule, UpdateRule
from hopfield_client._words import ORDERS, TIES, UPDATES, number

# Why an order means nothing there.
_WITHOUT_ORDER = {
    "synchronous": "all neurons are updated at once",
    "glauber": "neurons are drawn at random",
}


def recall_options(
    *,
    coding: Coding | None,
    update: UpdateRule,
    order: Literal["random", "sequential"] | Sequence[int],
    seed: int | None,
    max_iterations: int,
    tie: TieRule,
    clamp: bool,
    beta: float | Sequence[float] | NDArray[np.floating[Any]] | None,
) -> recall_service_pb2.RecallOptions:
    """How a recall of a memory, whose coding is None where it is not known, is run, as it travels.

    Raises:
        InvalidArgument: an unknown word, a number out of range, or an option that the update rule does not have.
    """
    if coding == "real" and beta is not None:
        raise InvalidArgument(
            "beta is for memories of two values; that of a Modern memory is its model's: update(model=Modern(beta=...))",
            field="beta",
        )
    options = recall_service_pb2.RecallOptions(
        update=number(UPDATES, update, "update"),
        seed=None if seed is None else integer(seed, "seed", 0, UINT64_MAX),
        max_iterations=integer(max_iterations, "max_iterations", 1, UINT32_MAX),
        tie=number(TIES, tie, "tie"),
        clamp=flag(clamp, "clamp"),
    )
    _set_order(options, update, order)
    _set_temperature(options, update, beta)
    return options


def _set_order(
    options: recall_service_pb2.RecallOptions,
    update: UpdateRule,
    order: Literal["random", "sequential"] | Sequence[int],
) -> None:
    if isinstance(order, str):
        chosen = number(ORDERS, order, "order", without=("explicit",))
        # The default of asynchronous updating, and no other updating takes an order: not sent.
        if chosen == recall_service_pb2.UPDATE_ORDER_RANDOM:
            return
        options.order = chosen
    else:
        options.order = recall_service_pb2.UPDATE_ORDER_EXPLICIT
        options.explicit_order.extend(_indices(order))
    if update != "asynchronous":
        raise InvalidArgument(
            f"order is for update='asynchronous'; with update={update!r} {_WITHOUT_ORDER[update]}", field="order"
        )


def _indices(order: Sequence[int]) -> list[int]:
    """The neurons in the order given; whether each is there once the server checks, which knows how many there are."""
    try:
        array = np.asarray(order)
    except ValueError:  # its rows differ in length
        array = np.empty(())
    if array.ndim != 1:
        raise InvalidArgument(
            f"order is {order!r}; it must be 'random', 'sequential', or every neuron index once", field="order"
        )
    if array.size and array.dtype.kind not in "iu":
        raise InvalidArgument(
            f"order must hold integers, every neuron index once; it holds values of type {array.dtype}", field="order"
        )
    if array.size and not 0 <= array.min() <= array.max() <= UINT32_MAX:
        wrong = array[(array < 0) | (array > UINT32_MAX)][0]
        raise InvalidArgument(f"order holds {wrong}, which is no neuron index", field="order")
    result: list[int] = array.tolist()
    return result


def _set_temperature(
    options: recall_service_pb2.RecallOptions,
    update: UpdateRule,
    beta: float | Sequence[float] | NDArray[np.floating[Any]] | None,
) -> None:
    if update != "glauber":
        if beta is not None:
            raise InvalidArgument(
                f"beta is for update='glauber'; update={update!r} has no temperature: leave beta out, or say "
                "update='glauber'",
                field="beta",
            )
        return
    if beta is None:
        raise InvalidArgument(
            "update='glauber' needs beta, the inverse temperature: a number, or for annealing a rising sequence of them, "
            "such as np.geomspace(0.1, 10, 50)",
            field="beta",
        )
    array = real_numbers(beta, "beta")
    if array.ndim == 0:
        options.beta = not_negative(array.item(), "beta")
        return
    if array.ndim != 1 or not array.size:
        raise InvalidArgument(
            f"beta has the shape {array.shape}; it must be a number, or for annealing numbers in a row, at least one",
            field="beta",
        )
    for k, value in enumerate(array.tolist()):
        not_negative(value, f"beta[{k}]")
    options.annealing.beta.extend(array.tolist())
