"""Elementary functions by plain arithmetic: the same as the C library's, to rounding."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hopfield_service.core.kernels.elementary import cosine, cosines, exponential, logarithm, sine, turns_of


@given(st.floats(-700, 700))
def test_exponential(x: float) -> None:
    assert math.isclose(exponential(x), math.exp(x), rel_tol=1e-14)


@given(st.floats(1e-300, 1e300))
def test_logarithm(x: float) -> None:
    assert math.isclose(logarithm(x), math.log(x), rel_tol=1e-14, abs_tol=1e-15)


@given(st.floats(-10, 10))
def test_sine_and_cosine(turns: float) -> None:
    assert math.isclose(cosine(turns), math.cos(2 * math.pi * turns), abs_tol=1e-13)
    assert math.isclose(sine(turns), math.sin(2 * math.pi * turns), abs_tol=1e-13)


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_the_angle_of_a_vector(x: float, y: float) -> None:
    turns = turns_of(x, y)
    assert 0 <= turns < 1
    if x == 0 and y == 0:
        assert turns == 0
        return
    difference = (turns - math.atan2(y, x) / (2 * math.pi) + 0.5) % 1 - 0.5
    assert abs(difference) < 1e-15


def test_a_table_of_cosines_is_even_bit_for_bit() -> None:
    table = cosines(60)
    np.testing.assert_array_equal(table[1:], table[:0:-1])
    np.testing.assert_allclose(table, np.cos(2 * np.pi * np.arange(60) / 60), atol=1e-15)
