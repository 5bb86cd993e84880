"""Kinds of networks beside the classical one, which is described by the parameters of `create_memory` themselves."""

from dataclasses import dataclass
from typing import TypeAlias

from hopfield_client._arguments import UINT32_MAX, flag, integer, not_negative, real_number
from hopfield_client._errors import InvalidArgument

_MAX_DEGREE = 30
_MIN_BETA, _MAX_BETA = 1e-6, 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Dense:
    """A dense associative memory: an interaction function F of the overlaps with the patterns in place of weights.

    `E = -sum_mu F(xi^mu . s)`. Holds far more patterns than weights can: about `N^(n-1) / (2 (2n-3)!! ln N)` of N neurons with the
    degree n, and 2^(N/2) with the exponential. An odd degree, and the exponential, tell a pattern from its inverse.

    Attributes:
        degree: n of `F(z) = z^n` (Krotov and Hopfield 2016), 2 to 30; None with `exponential`.
        exponential: `F(z) = exp(z)` (Demircigil et al. 2017), of whose energy the logarithm is given: `E = -ln sum_mu exp(xi^mu . s)`.

    Raises:
        InvalidArgument: a degree out of range, neither of the two, or both.
    """

    degree: int | None = None
    exponential: bool = False

    def __post_init__(self) -> None:
        if flag(self.exponential, "exponential") == (self.degree is not None):
            raise InvalidArgument("Dense takes either degree= or exponential=True", field="degree")
        if self.degree is not None:
            integer(self.degree, "degree", 2, _MAX_DEGREE)

    def __str__(self) -> str:
        return "dense, exponential" if self.exponential else f"dense, degree {self.degree}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Modern:
    """A modern Hopfield network (Ramsauer et al. 2020): patterns and queries are real numbers, and an iteration is a step of attention.

    With the patterns x_mu, `xi' = sum_mu w_mu x_mu`, `w = softmax(beta x_mu . xi)`. The energy `E = -(1/beta) ln sum_mu exp(beta x_mu . xi)
    + xi.xi / 2 + (ln P) / beta + M^2 / 2`, M the length of the longest pattern, never rises.

    Attributes:
        beta: inverse temperature of the softmax, 1e-6 to 1e9: the larger, the more the nearest pattern alone counts.
        tolerance: a recall has converged when an iteration changes the state by at most so much, at least 0. With 0 it runs
            `max_iterations`, or until nothing changes.

    Raises:
        InvalidArgument: one is out of its range.
    """

    beta: float
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not _MIN_BETA <= real_number(self.beta, "beta") <= _MAX_BETA:
            raise InvalidArgument(f"beta is {self.beta}; it must be {_MIN_BETA:g} to {_MAX_BETA:g}", field="beta")
        not_negative(self.tolerance, "tolerance")

    def __str__(self) -> str:
        return f"modern, beta {self.beta:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """A ring attractor: neurons on a circle that hold a bump of activity at a heading (Zhang 1996).

    Attributes:
        neurons: number of neurons N, 52 to 1024; neuron i prefers the heading 360 i / N degrees.
        tau: time constant in seconds, 0.0001 to 100.
        concentration: K of the tuning curve A + B exp(K cos theta), 2 to 9: the larger, the narrower the bump.

    Raises:
        InvalidArgument: one is no number of its kind. The server knows the ranges.
    """

    neurons: int = 64
    tau: float = 0.01
    concentration: float = 8.0

    def __post_init__(self) -> None:
        integer(self.neurons, "neurons", 0, UINT32_MAX)
        real_number(self.tau, "tau")
        real_number(self.concentration, "concentration")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A sheet attractor: neurons on a torus that hold a lattice of bumps, as grid cells do (Burak and Fiete 2009).

    Attributes:
        side: n, even, 64 to 128; the sheet has n x n neurons.
        bump_rows: rows of bumps along the second axis: 6, or 8 from a side of 86 on.
        tau: time constant in seconds, 0.0001 to 100.

    Raises:
        InvalidArgument: one is no number of its kind. The server knows the ranges.
    """

    side: int = 64
    bump_rows: int = 6
    tau: float = 0.01

    def __post_init__(self) -> None:
        integer(self.side, "side", 0, UINT32_MAX)
        integer(self.bump_rows, "bump_rows", 0, UINT32_MAX)
        real_number(self.tau, "tau")


PatternModel: TypeAlias = Dense | Modern
"""A kind of network beside the classical one that stores patterns, and recalls them."""

AttractorModel: TypeAlias = Ring | Sheet
"""A kind of network that stores none: it holds a bump of activity, and moves it."""

Model: TypeAlias = PatternModel | AttractorModel
"""A kind of network beside the classical one."""
