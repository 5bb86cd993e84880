"""The ring attractor: neurons on a circle that hold a bump of activity at a heading, and turn it at an angular velocity.

Source: Zhang (1996), J. Neurosci. 16:2112; the energy of Cohen and Grossberg (1983).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.attractor import Activity, Attractor, AttractorSpec, Lattice, Rates, Settled, run_in_pieces
from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.kernels import ring as kernels
from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import InvalidParameter, StoredPatterns

# The tuning curve A + B exp(K cos theta): A, and A + B exp(K), in Hz.
_BASELINE, _PEAK = 1.0, 40.0
# lambda, as a share of the largest |f_n|^2.
_REGULARIZATION = 1e-3
# The longest step of the integration, in tau. At gamma = 0.2 the speed is right to 2e-6 of itself with it.
_STEP = 0.2
# A ring is at rest where no potential moves faster, in 1 / tau.
_AT_REST = 1e-8
# Rates below are taken for this when potentials are looked for, since none has the rate zero. In Hz.
_LOWEST_RATE = 1e-3
# Length of the population vector, as a share of the sum of the rates, from which on there is a bump: at rest it is .5 to .9.
_FAINTEST = 1e-3
# |gamma| up to which the bump keeps its shape and turns at -gamma / tau to 1e-3 of it, at any spec.
_LARGEST_GAMMA = 0.5


@dataclass(frozen=True, slots=True)
class RingSpec(AttractorSpec):
    """The parameters of a ring attractor.

    Attributes:
        neurons: N, 52 to 1024, since a bump of fewer sticks to them; neuron i prefers the heading 360 i / N degrees.
        tau: time constant, in seconds, 0.0001 to 100.
        concentration: K of the tuning curve, 2 to 9: the larger, the narrower the bump. From 10 on a uniform state is stable beside it.

    Raises:
        InvalidParameter: one is out of its range.
    """

    family: ClassVar[str] = "ring"

    neurons: int = 64
    tau: float = 0.01
    concentration: float = 8.0

    def __post_init__(self) -> None:
        if not 52 <= self.neurons <= 1024:
            raise InvalidParameter("neurons", f"must be 52 to 1024, is {self.neurons}")
        # Negated, so that what is no number is refused.
        if not 1e-4 <= self.tau <= 100:
            raise InvalidParameter("tau", f"must be 0.0001 to 100 seconds, is {self.tau:g}")
        if not 2 <= self.concentration <= 9:
            raise InvalidParameter("concentration", f"must be 2 to 9, is {self.concentration:g}")

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """See Spec."""
        if changes.get("neurons", self.neurons) != self.neurons:
            raise InvalidParameter("neurons", "cannot be changed")
        return self.from_parameters(self.parameters() | dict(changes))

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return asdict(self)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        return cls(**parameters)

    def empty(self) -> "RingNetwork":
        """See Spec."""
        curve, weights, turning = (np.empty(self.neurons) for _ in range(3))
        kernels.tuning(0.0, _BASELINE, _PEAK, self.concentration, curve)
        kernels.ring_weights(curve, _REGULARIZATION, weights, turning)
        return RingNetwork(self, weights, turning)

    def restored(
        self,
        stored: StoredPatterns,  # noqa: ARG002 - none
        arrays: Mapping[str, NDArray[Any]],
        interruption: Interruption = never,  # noqa: ARG002 - it takes no time
    ) -> "RingNetwork":
        """See Spec."""
        return RingNetwork(self, arrays["weights"], arrays["turning"])

    @classmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """See Spec."""
        yield cls._warm

    @classmethod
    def _warm(cls) -> None:
        network = cls(neurons=52).empty()
        network.settle(np.full(52, 2.0), network.spec.tau, never)
        network.position(network.moved(network.activity_at((90.0,), never), (90.0,), network.spec.tau, never))


class RingNetwork(Attractor):
    """A ring attractor: `tau du/dt = -u + w * sigma(u)`. Positions are headings in degrees, velocities degrees a second."""

    spec: RingSpec
    dimensions: ClassVar[int] = 1

    def __init__(self, spec: RingSpec, weights: NDArray[np.float64], turning: NDArray[np.float64]) -> None:
        """Of weights from a neuron to the one k places on, (N,) float64, and of their derivative by the angle."""
        super().__init__(spec)
        self._weights = weights
        self._turning = turning

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002 - it takes no time
        """See Network."""
        return {"weights": StateArray(self._weights), "turning": StateArray(self._turning)}

    @property
    def top_speed(self) -> float:
        """See Attractor."""
        return math.degrees(_LARGEST_GAMMA / self.spec.tau)

    def multiplications(self, duration: float) -> float:
        """See Attractor."""
        return self._steps(duration) * self._multiplications_each() + 100.0 * self.spec.neurons

    def _multiplications_each(self) -> float:
        # Four times the weights, and some hundred for the rate of each neuron.
        return 4.0 * self.spec.neurons * (self.spec.neurons + 100)

    def _steps(self, duration: float) -> int:
        return math.ceil(duration / (_STEP * self.spec.tau))

    def activity_at(self, position: Sequence[float], interruption: Interruption) -> Activity:
        """See Attractor. The tuning curves at a heading are nearly at rest; they are run until they are."""
        curve = np.empty(self.spec.neurons)
        kernels.tuning(position[0] / 360.0, _BASELINE, _PEAK, self.spec.concentration, curve)
        activity = self.activity_of(curve)
        self._run(activity, self._weights, _STEP, self._steps(1000 * self.spec.tau), _AT_REST, interruption)
        return activity

    def activity_of(self, rates: Rates) -> Activity:
        """See Attractor. The potentials; a rate of zero has none, and is taken for one of 0.001 Hz."""
        activity = np.empty(self.spec.neurons)
        kernels.potentials(rates, _LOWEST_RATE, activity)
        return activity

    def settle(self, rates: Rates, max_time: float, interruption: Interruption) -> Settled:
        """See Attractor."""
        activity = self.activity_of(rates)
        initial_energy = kernels.ring_energy(self._weights, activity)
        steps = self._steps(max_time)
        done = self._run(activity, self._weights, _STEP, steps, _AT_REST, interruption)
        return Settled(
            rates=self.rates(activity),
            position=self.position(activity),
            lattice=self.lattice(activity),
            energy=kernels.ring_energy(self._weights, activity),
            initial_energy=initial_energy,
            time=done * _STEP * self.spec.tau,
            converged=done < steps,
        )

    def moved(
        self, activity: Activity, velocity: Sequence[float], duration: float, interruption: Interruption
    ) -> Activity:
        """See Attractor. Weights `w + gamma w'` turn the bump at exactly `-gamma / tau` (Zhang 1996)."""
        after = activity.copy()
        steps = self._steps(duration)
        if steps:
            gamma = -math.radians(velocity[0]) * self.spec.tau
            step = duration / self.spec.tau / steps
            self._run(after, self._weights + gamma * self._turning, step, steps, 0.0, interruption)
        return after

    def _run(
        self,
        activity: Activity,
        weights: NDArray[np.float64],
        step: float,
        steps: int,
        tolerance: float,
        interruption: Interruption,
    ) -> int:
        """Runs the dynamics in place; says how many steps."""
        return run_in_pieces(
            lambda piece: kernels.run_ring(weights, step, piece, tolerance, activity),
            steps,
            self._multiplications_each(),
            interruption,
        )

    def rates(self, activity: Activity) -> Rates:
        """See Attractor."""
        rates = np.empty(self.spec.neurons)
        kernels.rates(activity, rates)
        return rates

    def position(self, activity: Activity) -> tuple[float, ...]:
        """See Attractor. The angle of the population vector, 0 <= heading < 360."""
        return (360.0 * kernels.ring_heading(activity, _FAINTEST),)

    def lattice(self, activity: Activity) -> Lattice:  # noqa: ARG002 - whatever it is
        """See Attractor. Once round."""
        return ((float(self.spec.neurons),),)
