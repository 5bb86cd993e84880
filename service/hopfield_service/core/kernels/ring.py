"""The ring attractor of Zhang (1996): what its neurons fire, its weights, and how its state moves."""

import numpy as np

from hopfield_service.core.kernels.compilation import Floats, compiled, inlined
from hopfield_service.core.kernels.elementary import (
    cosine,
    cosines,
    exponential,
    logarithm,
    logarithm_of_one_plus,
    sine,
    turns_of,
)

# sigma(u) = a ln^b(1 + exp(c (u + d))), in Hz.
_A, _B, _C, _D = 6.34, 0.8, 10.0, 0.5
# Below -20, ln(1 + exp(y)) is exp(y) to 1e-9 of itself.
_FLAT = -20.0
# The nodes and weights of Gauss and Legendre's formula of five points.
_NODES = (-0.906179845938664, -0.5384693101056831, 0.0, 0.5384693101056831, 0.906179845938664)
_NODE_WEIGHTS = (0.23692688505618908, 0.47862867049936647, 0.5688888888888889, 0.47862867049936647, 0.23692688505618908)


@inlined
def softplus(y: float) -> float:
    """`ln(1 + exp(y))`."""
    return max(y, 0.0) + logarithm_of_one_plus(exponential(-abs(y)))


@inlined
def rate(u: float) -> float:
    """`sigma(u)` in Hz."""
    return _A * exponential(_B * logarithm(softplus(_C * (u + _D))))


@inlined
def potential(f: float) -> float:
    """The inverse of `rate`, of f > 0."""
    y = exponential(logarithm(f / _A) / _B)
    # ln(exp(y) - 1), which is y + ln(1 - exp(-y)).
    if y > 37.0:
        return y / _C - _D
    if y > 0.01:
        return logarithm(exponential(y) - 1.0) / _C - _D
    return logarithm(y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y / 120.0))))) / _C - _D


@compiled
def rates(potentials: Floats, out: Floats) -> None:
    """`out = sigma(potentials)`."""
    for i in range(potentials.shape[0]):
        out[i] = rate(potentials[i])


@compiled
def potentials(rates: Floats, lowest: float, out: Floats) -> None:
    """`out = sigma^-1(rates)`, rates below `lowest` taken for that."""
    for i in range(rates.shape[0]):
        out[i] = potential(max(rates[i], lowest))


@compiled
def tuning(heading: float, baseline: float, peak: float, concentration: float, out: Floats) -> None:
    """The tuning curves at a heading (in turns): `A + B exp(K cos(theta_i - heading))`, from A to `peak`."""
    n = out.shape[0]
    for i in range(n):
        out[i] = baseline + (peak - baseline) * exponential(concentration * (cosine(i / n - heading) - 1.0))


@compiled
def ring_weights(curve: Floats, regularization: float, weights: Floats, turning: Floats) -> None:
    """The weights under which a tuning curve holds itself, and their derivative, each divided by N.

    Args:
        curve: tuning at heading 0, which is even.
        regularization: lambda, as a share of the largest |f_n|^2.
        weights: `w_k`, from a neuron to the one k places on.
        turning: `w'_k`, the spectral derivative.
    """
    n = curve.shape[0]
    table = cosines(n)
    held = np.empty(n)
    potentials(curve, 0.0, held)
    of_rates, of_potentials = np.empty(n), np.empty(n)
    for m in range(n):
        f, u = 0.0, 0.0
        for k in range(n):
            f += curve[k] * table[m * k % n]
            u += held[k] * table[m * k % n]
        of_rates[m], of_potentials[m] = f / n, u / n
    penalty = regularization * (of_rates * of_rates).max()
    for k in range(n):
        weight, derivative = 0.0, 0.0
        for m in range(n):
            coefficient = of_potentials[m] * of_rates[m] / (penalty + of_rates[m] * of_rates[m])
            weight += coefficient * table[m * k % n]
            frequency = m if 2 * m < n else m - n
            if 2 * m != n:
                derivative -= frequency * coefficient * sine(m * k % n / n)
        weights[k], turning[k] = weight / n, derivative / n


@compiled
def _drive(weights: Floats, state: Floats, twice: Floats, out: Floats) -> None:
    """`out = w * sigma(state) - state`.

    Every neuron's sum is taken in the order of distance from it, so that what is shifted gives what is shifted, bit for bit.
    """
    n = state.shape[0]
    rates(state, twice[:n])
    for i in range(n):
        twice[n + i] = twice[i]
        out[i] = -state[i]
    for k in range(n):
        weight, fired = weights[k], twice[n - k : 2 * n - k]
        for i in range(n):
            out[i] += weight * fired[i]


@compiled
def run_ring(weights: Floats, step: float, steps: int, tolerance: float, state: Floats) -> int:
    """Runs `du/dt = -u + w * sigma(u)` (t in tau) by the classical Runge and Kutta formula of fourth order.

    Args:
        weights: `w_k`, that of turning added.
        step: in tau.
        steps: at most so many.
        tolerance: ends where no |du/dt| is larger; 0 to run all steps.
        state: u, (N,); is changed.

    Returns:
        Steps run.
    """
    n = state.shape[0]
    twice = np.empty(2 * n)
    at = np.empty(n)
    first, second, third, fourth = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for done in range(steps):
        _drive(weights, state, twice, first)
        fastest = 0.0
        for i in range(n):
            fastest = max(fastest, abs(first[i]))
            at[i] = state[i] + 0.5 * step * first[i]
        if tolerance > 0.0 and fastest <= tolerance:
            return done
        _drive(weights, at, twice, second)
        for i in range(n):
            at[i] = state[i] + 0.5 * step * second[i]
        _drive(weights, at, twice, third)
        for i in range(n):
            at[i] = state[i] + step * third[i]
        _drive(weights, at, twice, fourth)
        for i in range(n):
            state[i] += step / 6.0 * (first[i] + 2.0 * (second[i] + third[i]) + fourth[i])
    return steps


@compiled
def ring_energy(weights: Floats, state: Floats) -> float:
    """`E = -1/2 sum f_i w_ij f_j + sum_i int_0^f_i sigma^-1(x) dx` (Cohen and Grossberg 1983).

    The integral is `f u` less that of sigma up to u, which is summed by Gauss and Legendre's formula in pieces no longer than 0.1.
    """
    n = state.shape[0]
    twice = np.empty(2 * n)
    drive = np.empty(n)
    _drive(weights, state, twice, drive)
    energy = 0.0
    for i in range(n):
        u = state[i]
        integral = 0.0
        low, high = _FLAT, _C * (u + _D)
        while low < high:
            half = 0.5 * min(1.0, high - low)
            for node in range(5):
                integral += half * _NODE_WEIGHTS[node] * rate((low + half + half * _NODES[node]) / _C - _D) / _C
            low += 1.0
        integral += _A * exponential(_B * min(_FLAT, high)) / (_B * _C)
        energy += twice[i] * (u - 0.5 * (drive[i] + u)) - integral
    return energy


@compiled
def ring_heading(state: Floats, least: float) -> float:
    """The angle of the population vector `sum_i f_i exp(i theta_i)`, in turns; not a number where it is shorter than `least sum_i f_i`."""
    n = state.shape[0]
    x, y, total = 0.0, 0.0, 0.0
    for i in range(n):
        fired = rate(state[i])
        x += fired * cosine(i / n)
        y += fired * sine(i / n)
        total += fired
    return turns_of(x, y) if x * x + y * y >= (least * total) ** 2 and total > 0.0 else np.nan
