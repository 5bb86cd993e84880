"""Kinds of networks beside the classical one, which is described by the parameters of `create_memory` themselves."""

from dataclasses import dataclass
from typing import TypeAlias

from hopfield_client._arguments import flag, integer, not_negative, real_number
from hopfield_client._errors import InvalidArgument

_MAX_DEGREE = 30
_MAX_BETA = 1e9


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
        beta: inverse temperature of the softmax, more than 0, at most 1e9: the larger, the more the nearest pattern alone counts.
        tolerance: a recall has converged when an iteration changes the state by at most so much, at least 0. With 0 it runs
            `max_iterations`, or until nothing changes.

    Raises:
        InvalidArgument: one is out of its range.
    """

    beta: float
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 < real_number(self.beta, "beta") <= _MAX_BETA:
            raise InvalidArgument(
                f"beta is {self.beta}; it must be more than 0 and at most {_MAX_BETA:g}", field="beta"
            )
        not_negative(self.tolerance, "tolerance")

    def __str__(self) -> str:
        return f"modern, beta {self.beta:g}"


Model: TypeAlias = Dense | Modern
"""A kind of network beside the classical one."""
