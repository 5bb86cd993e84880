"""Elementary functions by plain arithmetic alone, to about 1e-15: the C library's differ from one machine to the next.

The exponential of updates.py is another: it is part of what a seed means, and rounds as it always has.
"""

import numpy as np

from hopfield_service.core.kernels.compilation import Floats, compiled, inlined, multiplied_and_added

_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first of which has so few bits that its product with any exponent is exact (Cody and Waite 1980).
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_SQRT_2 = 1.4142135623730951
_TAN_PI_8 = 0.41421356237309503
_PI = 3.141592653589793
# Arguments beyond which no double is large, or small, enough.
_LARGEST, _SMALLEST = 709.0, -708.0
# What floats are made of. Integers are read off a float to which 2^52 was added (for those that may be negative, 2^51 more):
# it holds them in its last bits, which processors tell from one another many at a time, as they do not convert them.
_MANTISSA = 0x000FFFFFFFFFFFFF
_EXPONENT_OF_ONE = 1023
_ONE_BITS = _EXPONENT_OF_ONE << 52
_TWO_52 = 4503599627370496.0
_TWO_52_BITS = (_EXPONENT_OF_ONE + 52) << 52
_ROUNDING = 1.5 * _TWO_52


@inlined
def exponential(x: float) -> float:
    """`exp(x)`, of x beyond -708 and 709 taken for that of these."""
    x = max(min(x, _LARGEST), _SMALLEST)
    shifted = multiplied_and_added(x, _LOG2_E, _ROUNDING)
    power = shifted - _ROUNDING
    rest = multiplied_and_added(power, -_LN2_LOW, multiplied_and_added(power, -_LN2_HIGH, x))
    total = 1.0 / 6227020800.0
    total = multiplied_and_added(total, rest, 1.0 / 479001600.0)
    total = multiplied_and_added(total, rest, 1.0 / 39916800.0)
    total = multiplied_and_added(total, rest, 1.0 / 3628800.0)
    total = multiplied_and_added(total, rest, 1.0 / 362880.0)
    total = multiplied_and_added(total, rest, 1.0 / 40320.0)
    total = multiplied_and_added(total, rest, 1.0 / 5040.0)
    total = multiplied_and_added(total, rest, 1.0 / 720.0)
    total = multiplied_and_added(total, rest, 1.0 / 120.0)
    total = multiplied_and_added(total, rest, 1.0 / 24.0)
    total = multiplied_and_added(total, rest, 1.0 / 6.0)
    total = multiplied_and_added(total, rest, 0.5)
    total = multiplied_and_added(total, rest, 1.0)
    total = multiplied_and_added(total, rest, 1.0)
    scale = (np.float64(shifted).view(np.int64) + _EXPONENT_OF_ONE) << 52
    return float(total * np.int64(scale).view(np.float64))


@inlined
def artanh(z: float) -> float:
    """`artanh(z)` of |z| <= 1/3."""
    square = z * z
    total = 1.0 / 33.0
    total = total * square + 1.0 / 31.0
    total = total * square + 1.0 / 29.0
    total = total * square + 1.0 / 27.0
    total = total * square + 1.0 / 25.0
    total = total * square + 1.0 / 23.0
    total = total * square + 1.0 / 21.0
    total = total * square + 1.0 / 19.0
    total = total * square + 1.0 / 17.0
    total = total * square + 1.0 / 15.0
    total = total * square + 1.0 / 13.0
    total = total * square + 1.0 / 11.0
    total = total * square + 1.0 / 9.0
    total = total * square + 1.0 / 7.0
    total = total * square + 1.0 / 5.0
    total = total * square + 1.0 / 3.0
    return z + z * (total * square)


@inlined
def logarithm(x: float) -> float:
    """`ln(x)` of a positive normal number."""
    bits = np.float64(x).view(np.int64)
    power = np.int64((bits >> 52) | _TWO_52_BITS).view(np.float64) - (_TWO_52 + _EXPONENT_OF_ONE)
    mantissa = np.int64((bits & _MANTISSA) | _ONE_BITS).view(np.float64)
    large = 1.0 if mantissa > _SQRT_2 else 0.0
    mantissa -= 0.5 * large * mantissa
    power += large
    return float(power * _LN2_HIGH + (power * _LN2_LOW + 2.0 * artanh((mantissa - 1.0) / (mantissa + 1.0))))


@inlined
def logarithm_of_one_plus(x: float) -> float:
    """`ln(1 + x)` of 0 <= x <= 1, to 1e-15 of itself."""
    return 2.0 * artanh(x / (2.0 + x))


@inlined
def cosine(turns: float) -> float:
    """`cos(2 pi turns)`."""
    turns -= np.floor(turns)
    if turns > 0.5:
        turns = 1.0 - turns
    if turns > 0.25:
        return -_cosine_of_first_quarter(0.5 - turns)
    return _cosine_of_first_quarter(turns)


@inlined
def sine(turns: float) -> float:
    """`sin(2 pi turns)`."""
    return cosine(turns - 0.25)


@inlined
def _cosine_of_first_quarter(turns: float) -> float:
    if turns > 0.125:
        x = (0.25 - turns) * (2.0 * _PI)
        square = x * x
        total = 1.0
        for k in range(17, 1, -2):
            total = 1.0 - total * square / (k * (k - 1.0))
        return x * total
    x = turns * (2.0 * _PI)
    square = x * x
    total = 1.0
    for k in range(18, 0, -2):
        total = 1.0 - total * square / (k * (k - 1.0))
    return total


@inlined
def turns_of(x: float, y: float) -> float:
    """The angle of the vector (x, y) in turns, 0 <= t < 1; 0 of the null vector."""
    across, along = abs(y), abs(x)
    if across == 0.0 and along == 0.0:
        return 0.0
    ratio = min(across, along) / max(across, along)
    offset = 0.0
    if ratio > _TAN_PI_8:
        ratio = (ratio - 1.0) / (ratio + 1.0)
        offset = 0.125
    square = ratio * ratio
    total = 0.0
    for k in range(45, -1, -2):
        total = 1.0 / k - square * total
    turns = offset + ratio * total / (2.0 * _PI)
    if across > along:
        turns = 0.25 - turns
    if x < 0.0:
        turns = 0.5 - turns
    if y < 0.0:
        turns = 1.0 - turns
    return turns if turns < 1.0 else 0.0


@compiled
def cosines(count: int) -> Floats:
    """`cos(2 pi k / count)` for k from 0, (count,); the same bits for k and `count - k`."""
    table = np.empty(count, np.float64)
    for k in range(count):
        table[k] = cosine(min(k, count - k) / count)
    return table
