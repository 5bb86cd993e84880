"""The sheet attractor: neurons on a torus that hold a lattice of bumps, as grid cells do, and move it at a velocity.

Source: Burak and Fiete (2009), PLoS Comput. Biol. 5:e1000291.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.attractor import Activity, Attractor, AttractorSpec, Lattice, Rates, Settled, run_in_pieces
from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.kernels import sheet as kernels
from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import InvalidParameter, StoredPatterns

# The wave number that W0 favours most is this / lambda: sqrt(12 x), where x = ln(1.05^2) / (1 - 1 / 1.05) is where its Fourier transform
# is largest, in k^2 / (4 beta). Written out, lest logarithms that round in other ways make other weights.
_FAVOURED = 4.958854982896123
# By how much the waves of the lattice grow about the uniform state. Below 1 no pattern forms; the weights of the paper as they stand
# (lambda = 13, l = 2) have 0.98.
_GAIN = 2.0
# The step of the integration in tau, as in the paper.
_STEP = 0.05
# A sheet is at rest where no rate moves faster, in 1 / tau: what moves more slowly is a lattice that slides to where it fits the neurons.
_AT_REST = 2e-4
# In tau: the time a lattice that is laid out is given to come to rest.
_FORMATION = 100.0
# Of the bumps of a lattice that is laid out, about that of those at rest.
_HEIGHT = 0.1
# Bumps of fewer neurons stick to them: they come to rest where those are, and not where they were.
_FEWEST_ROWS, _SIDE_OF_MORE_ROWS = 6, 86
# Size of a wave, as a share of the sum of the rates, from which on there is one: of a lattice at rest it is about .6.
_FAINTEST = 1e-3
# By how much the waves of a lattice may differ in length from the mean of those of the lattice that a sheet is made for.
_ODD = 0.15
# |v| up to which the flow is proportional to it, within a tenth.
_TOP_SPEED = 1.0


@dataclass(frozen=True, slots=True)
class SheetSpec(AttractorSpec):
    """The parameters of a sheet attractor.

    Attributes:
        side: n, even, 64 to 128; the sheet has n x n neurons.
        bump_rows: rows of bumps along the second axis: 6 or 8, the numbers at which a lattice of nearly equilateral triangles closes on itself; 8
            from a side of 86 on, since bumps of few neurons stick to them.
        tau: time constant, in seconds, 0.0001 to 100.

    Raises:
        InvalidParameter: one is out of its range.
    """

    family: ClassVar[str] = "sheet"
    size_parameter: ClassVar[str] = "side"

    side: int = 64
    bump_rows: int = 6
    tau: float = 0.01

    def __post_init__(self) -> None:
        if not 64 <= self.side <= 128 or self.side % 2:
            raise InvalidParameter("side", f"must be even and 64 to 128, is {self.side}")
        if self.bump_rows not in {6, 8}:
            raise InvalidParameter("bump_rows", f"must be 6 or 8, is {self.bump_rows}")
        if self.bump_rows > _FEWEST_ROWS and self.side < _SIDE_OF_MORE_ROWS:
            raise InvalidParameter(
                "bump_rows", f"must be {_FEWEST_ROWS} where side is less than {_SIDE_OF_MORE_ROWS}, is {self.bump_rows}"
            )
        # Negated, so that what is no number is refused.
        if not 1e-4 <= self.tau <= 100:
            raise InvalidParameter("tau", f"must be 0.0001 to 100 seconds, is {self.tau:g}")

    @property
    def neurons(self) -> int:  # type: ignore[override]  # of these specs it follows from another
        """See Spec."""
        return self.side**2

    @property
    def waves(self) -> NDArray[np.float64]:
        """(3, 2) float64: the waves that the lattice is the sum of, in periods on the sheet; the third is the first less the second."""
        half = self.bump_rows // 2
        across = round(math.sqrt(3) * half)
        return np.array([[across, half], [across, -half], [0, 2 * half]], np.float64)

    @property
    def _wave_number(self) -> float:
        """Mean of the waves' numbers of periods on the sheet; of square roots, which are rounded alike everywhere."""
        return sum(math.sqrt(x * x + y * y) for x, y in self.waves.tolist()) / 3

    @property
    def lattices(self) -> NDArray[np.float64]:
        """(count, 3, 2) float64: the waves of every lattice that may form, its own first: triangles near enough to its size and shape."""
        own, length = self.waves, self._wave_number
        reach = range(-math.ceil(2 * length), math.ceil(2 * length) + 1)
        waves = [
            (x, y) for x, y in product(reach, reach) if (x, y) > (0, 0) and abs(math.hypot(x, y) / length - 1) < _ODD
        ]
        found = {_without_signs(own.tolist()): own.tolist()}
        for (a, b), (c, d) in product(waves, waves):
            third = (a - c, b - d)
            if (a, b) > (c, d) and abs(math.hypot(*third) / length - 1) < _ODD:
                triple = [(a, b), (c, d), third]
                found.setdefault(_without_signs(triple), triple)
        return np.array(list(found.values()), np.float64)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """See Spec."""
        if changes.get("side", self.side) != self.side:
            raise InvalidParameter("side", "cannot be changed")
        return self.from_parameters(self.parameters() | dict(changes))

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return asdict(self)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        return cls(**parameters)

    def empty(self) -> "SheetNetwork":
        """See Spec."""
        narrow, wide = np.empty(self.side // 2 + 1), np.empty(self.side // 2 + 1)
        wavelength = _FAVOURED * self.side / (2 * math.pi * self._wave_number)
        kernels.sheet_weights(wavelength, self.waves, _GAIN, narrow, wide)
        return SheetNetwork(self, narrow, wide)

    def restored(
        self,
        stored: StoredPatterns,  # noqa: ARG002 - none
        arrays: Mapping[str, NDArray[Any]],
        interruption: Interruption = never,  # noqa: ARG002 - it takes no time
    ) -> "SheetNetwork":
        """See Spec."""
        return SheetNetwork(self, arrays["narrow"], arrays["wide"])

    @classmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """See Spec."""
        yield cls._warm

    @classmethod
    def _warm(cls) -> None:
        network = cls(side=64).empty()
        settled = network.settle(np.zeros(4096), network.spec.tau * _STEP, never)
        kernels.lattice(network.spec.waves, np.zeros(3), _HEIGHT, np.empty((64, 64)))
        network.position(network.moved(settled.rates, (0.5, 0.5), network.spec.tau * _STEP, never))


def _without_signs(waves: Sequence[Sequence[float]]) -> frozenset[tuple[float, float]]:
    """What tells a lattice from others: its waves, of each and its opposite one."""
    return frozenset(max((x, y), (-x, -y)) for x, y in waves)


class SheetNetwork(Attractor):
    """A sheet attractor: `tau ds/dt = -s + relu(W s + B)`.

    Rates are the state, n x n neurons row after row, in units of the input. A position is the phase of the lattice along its two vectors,
    0 to 1 each; a velocity has the unit in which the input of neurons grows by alpha = 0.10315 of itself in their direction.
    """

    spec: SheetSpec
    dimensions: ClassVar[int] = 2

    def __init__(self, spec: SheetSpec, narrow: NDArray[np.float64], wide: NDArray[np.float64]) -> None:
        """Of two Gauss curves, of distances 0 to n / 2, whose products make the weights."""
        super().__init__(spec)
        self._narrow = narrow
        self._wide = wide
        self._lattices = spec.lattices

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002 - it takes no time
        """See Network."""
        return {"narrow": StateArray(self._narrow), "wide": StateArray(self._wide)}

    @property
    def top_speed(self) -> float:
        """See Attractor."""
        return _TOP_SPEED

    def multiplications(self, duration: float) -> float:
        """See Attractor."""
        # Each wave that is looked for takes about ten for a neuron.
        waves = 10.0 * len(self._lattices) * self.spec.neurons
        return self._steps(duration) * self._multiplications_each() + waves

    def _multiplications_each(self) -> float:
        return 2.0 * self.spec.side**3

    def _steps(self, duration: float) -> int:
        return math.ceil(duration / (_STEP * self.spec.tau))

    def activity_at(self, position: Sequence[float], interruption: Interruption) -> Activity:
        """See Attractor. A lattice is laid out there, and run until it rests."""
        first, second = position
        activity = np.empty((self.spec.side, self.spec.side))
        kernels.lattice(self.spec.waves, np.array([first, second, first - second]), _HEIGHT, activity)
        self._run(activity, (0.0, 0.0), _STEP, self._steps(_FORMATION * self.spec.tau), _AT_REST, interruption)
        return activity.ravel()

    def activity_of(self, rates: Rates) -> Activity:
        """See Attractor. They are the same."""
        return rates

    def settle(self, rates: Rates, max_time: float, interruption: Interruption) -> Settled:
        """See Attractor."""
        activity = rates.reshape(self.spec.side, self.spec.side).copy()
        steps = self._steps(max_time)
        done = self._run(activity, (0.0, 0.0), _STEP, steps, _AT_REST, interruption)
        settled = activity.ravel()
        return Settled(
            rates=settled,
            position=self.position(settled),
            lattice=self.lattice(settled),
            energy=None,
            initial_energy=None,
            time=done * _STEP * self.spec.tau,
            converged=done < steps,
        )

    def moved(
        self, activity: Activity, velocity: Sequence[float], duration: float, interruption: Interruption
    ) -> Activity:
        """See Attractor."""
        after = activity.reshape(self.spec.side, self.spec.side).copy()
        steps = self._steps(duration)
        if steps:
            self._run(after, velocity, duration / self.spec.tau / steps, steps, 0.0, interruption)
        return after.ravel()

    def _run(
        self,
        activity: Activity,
        velocity: Sequence[float],
        step: float,
        steps: int,
        tolerance: float,
        interruption: Interruption,
    ) -> int:
        """Runs the dynamics of an (n, n) state in place; says how many steps."""
        x, y = velocity
        return run_in_pieces(
            lambda piece: kernels.run_sheet(self._narrow, self._wide, x, y, step, piece, tolerance, activity),
            steps,
            self._multiplications_each(),
            interruption,
        )

    def rates(self, activity: Activity) -> Rates:
        """See Attractor."""
        return activity

    def position(self, activity: Activity) -> tuple[float, ...]:
        """See Attractor. The phases of the first two waves."""
        phases, powers = np.empty(2), np.empty(2)
        state = activity.reshape(self.spec.side, self.spec.side)
        kernels.sheet_phases(self._waves(activity)[:2], state, phases, powers)
        faintest = _FAINTEST * float(activity.sum())
        if activity.max(initial=0.0) <= 0 or powers.min() < faintest * faintest:
            return (math.nan, math.nan)
        return (float(phases[0]), float(phases[1]))

    def lattice(self, activity: Activity) -> Lattice:
        """See Attractor."""
        (a, b), (c, d), _ = self._waves(activity).tolist()
        area = (a * d - b * c) / self.spec.side
        return ((d / area, -c / area), (-b / area, a / area))

    def _waves(self, activity: Activity) -> NDArray[np.float64]:
        """The waves of the lattice there is, or what comes nearest: the three that together are strongest."""
        state = activity.reshape(self.spec.side, self.spec.side)
        waves, places = np.unique(self._lattices.reshape(-1, 2), axis=0, return_inverse=True)
        powers = np.empty(len(waves))
        kernels.sheet_phases(waves, state, np.empty(len(waves)), powers)
        strongest: NDArray[np.float64] = self._lattices[int(powers[places.reshape(-1, 3)].sum(axis=1).argmax())]
        return strongest
