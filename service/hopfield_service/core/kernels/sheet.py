"""The sheet of Burak and Fiete (2009): its weights, how its state moves, and where its pattern is.

A state is (n, n). Neurons of even and odd rows and columns prefer the four directions, so that each 2 x 2 block has all of them.
"""

import numpy as np

from hopfield_service.core.kernels.compilation import Floats, compiled
from hopfield_service.core.kernels.elementary import cosine, cosines, exponential, sine, turns_of

# gamma / beta, the narrower Gauss curve's exponent by the wider one's.
_RATIO = 1.05
# alpha: how much of its input a neuron gains at a velocity of 1 in its direction.
_VELOCITY_GAIN = 0.10315
# l: by how many neurons, in its direction, what a neuron does is shifted. Even, so that a neuron and what is shifted onto it prefer the same.
_SHIFT = 2


@compiled
def sheet_weights(wavelength: float, waves: Floats, gain: float, narrow: Floats, wide: Floats) -> None:
    """The Gauss curves whose products are `W0(x, y) = narrow(x) narrow(y) - wide(x) wide(y)`, of distances 0 to n / 2 on a circle of n.

    Args:
        wavelength: lambda, in neurons; beta is 3 / lambda^2.
        waves: (count, 2), in periods on the sheet.
        gain: by which the waves are to grow about the uniform state, with the shift; W0 is scaled for it.
        narrow: exp(-gamma x^2), (n / 2 + 1,).
        wide: exp(-beta x^2), (n / 2 + 1,).
    """
    half = narrow.shape[0] - 1
    n = 2 * half
    beta = 3.0 / (wavelength * wavelength)
    for k in range(half + 1):
        narrow[k] = exponential(-_RATIO * beta * k * k)
        wide[k] = exponential(-beta * k * k)
    growth = 0.0
    for wave in range(waves.shape[0]):
        of_narrow, of_wide, shifted = 1.0, 1.0, 0.0
        for axis in range(2):
            a, b = narrow[0], wide[0]
            for k in range(1, half + 1):
                both = (1.0 if k == half else 2.0) * cosine(waves[wave, axis] * k / n)
                a += both * narrow[k]
                b += both * wide[k]
            of_narrow *= a
            of_wide *= b
            shifted += 0.5 * cosine(waves[wave, axis] * _SHIFT / n)
        growth += (of_narrow - of_wide) * shifted / waves.shape[0]
    scale = np.sqrt(gain / growth)
    for k in range(half + 1):
        narrow[k] *= scale
        wide[k] *= scale


@compiled
def _smooth(curve: Floats, state: Floats, out: Floats) -> None:
    """`out` is the state smoothed along the first axis by a curve that is even, and turned: its axes are exchanged.

    Every sum is taken in the order of distance, so that what is shifted gives what is shifted, bit for bit.
    """
    n = state.shape[0]
    half = n // 2
    row = np.empty(n)
    for i in range(n):
        for j in range(n):
            row[j] = curve[0] * state[i, j] + curve[half] * state[(i + half) % n, j]
        for k in range(1, half):
            weight, above, below = curve[k], state[(i - k) % n], state[(i + k) % n]
            for j in range(n):
                row[j] += weight * (above[j] + below[j])
        for j in range(n):
            out[j, i] = row[j]


@compiled
def run_sheet(
    narrow: Floats, wide: Floats, x: float, y: float, step: float, steps: int, tolerance: float, state: Floats
) -> int:
    """Runs `ds/dt = -s + relu(W s + 1 + alpha e . v)` (t in tau) by Euler's formula.

    Args:
        narrow: as `sheet_weights` makes it.
        wide: the same.
        x: velocity along the first axis.
        y: velocity along the second.
        step: in tau.
        steps: at most so many.
        tolerance: ends where no |ds/dt| is larger; 0 to run all steps.
        state: s, (n, n); is changed.

    Returns:
        Steps run.
    """
    n = state.shape[0]
    shifted = np.empty((n, n))
    turned = np.empty((n, n))
    raised = np.empty((n, n))
    lowered = np.empty((n, n))
    inputs = np.empty(4)
    for q in range(4):
        inputs[q] = 1.0 + _VELOCITY_GAIN * (x, y, -y, -x)[q]
    for done in range(steps):
        for i in range(0, n, 2):
            after, before = (i + _SHIFT) % n, (i + 1 - _SHIFT) % n
            for j in range(0, n, 2):
                right, left = (j + 1 + _SHIFT) % n, (j - _SHIFT) % n
                shifted[after, j] = state[i, j]
                shifted[i, right] = state[i, j + 1]
                shifted[i + 1, left] = state[i + 1, j]
                shifted[before, j + 1] = state[i + 1, j + 1]
        _smooth(narrow, shifted, turned)
        _smooth(narrow, turned, raised)
        _smooth(wide, shifted, turned)
        _smooth(wide, turned, lowered)
        fastest = 0.0
        for i in range(n):
            for j in range(n):
                rise = max(raised[i, j] - lowered[i, j] + inputs[2 * (i % 2) + j % 2], 0.0) - state[i, j]
                fastest = max(fastest, abs(rise))
                shifted[i, j] = rise
        if tolerance > 0.0 and fastest <= tolerance:
            return done
        for i in range(n):
            for j in range(n):
                state[i, j] += step * shifted[i, j]
    return steps


@compiled
def sheet_phases(waves: Floats, state: Floats, out: Floats, powers: Floats) -> None:
    """How far along each of some waves (in periods on the sheet) the pattern is, in turns, 0 <= phase < 1; and how strong the wave is."""
    n = state.shape[0]
    table = cosines(n)
    sines = np.array([sine(k / n) for k in range(n)])
    for wave in range(waves.shape[0]):
        x, y = 0.0, 0.0
        for i in range(n):
            for j in range(n):
                place = int(waves[wave, 0]) * i + int(waves[wave, 1]) * j
                x += state[i, j] * table[place % n]
                y += state[i, j] * sines[place % n]
        out[wave] = turns_of(x, y)
        powers[wave] = x * x + y * y


@compiled
def lattice(waves: Floats, phases: Floats, height: float, out: Floats) -> None:
    """`height` times the sum of some waves, where that is positive: a lattice of bumps, the waves at these phases (in turns)."""
    n = out.shape[0]
    for i in range(n):
        for j in range(n):
            total = 0.0
            for wave in range(waves.shape[0]):
                total += cosine((waves[wave, 0] * i + waves[wave, 1] * j) / n - phases[wave])
            out[i, j] = height * max(total, 0.0)
