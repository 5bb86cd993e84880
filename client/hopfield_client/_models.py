"""Kinds of networks beside the classical one, which is described by the parameters of `create_memory` themselves."""

from dataclasses import dataclass
from typing import TypeAlias

from hopfield_client._arguments import flag, integer
from hopfield_client._errors import InvalidArgument

_MAX_DEGREE = 30


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


Model: TypeAlias = Dense
"""A kind of network beside the classical one."""
