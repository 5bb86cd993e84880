"""The pictures: drawn from real recalls and memories, and true to them."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox
from numpy.typing import NDArray
from PIL import Image
from tests.client.letters import random_patterns
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient, InvalidArgument, Memory, Modern, NotFound, TraceStep
from hopfield_client.demo.digits import corrupted, ten_digits
from hopfield_client.plot import plot_capacity, plot_landscape, plot_recall
from hopfield_client.plot._attractors import Landscape, survey

DIGITS = ten_digits()
NOISY_EIGHT = corrupted(DIGITS, 0.3, 71)[8]


# Few neurons, whose attractors can be counted, are beyond the capacity with their first patterns.
beyond_capacity = pytest.mark.filterwarnings("ignore::hopfield_client.CapacityWarning")


@pytest.fixture
def client(server: ServiceProcess) -> Iterator[HopfieldClient]:
    """The blocking one: pictures are drawn by no other."""
    with HopfieldClient(server.address, timeout=60.0) as client:
        yield client


@pytest.fixture
def digits(client: HopfieldClient, name: str) -> Iterator[Memory]:
    memory = client.create_memory(name, 64, rule="pseudo_inverse", shape=(8, 8))
    memory.store(DIGITS, [str(digit) for digit in range(10)])
    yield memory
    client.delete_memory(name)


@pytest.fixture
def small(client: HopfieldClient, name: str) -> Iterator[Memory]:
    """Three letters of 12 pixels, whose mixtures are stable."""
    letters = {"L": "#..#..#..###", "H": "#.#####.##.#", "Z": "###.#.#..###"}
    memory = client.create_memory(name, 12, shape=(4, 3))
    memory.store([[pixel == "#" for pixel in letter] for letter in letters.values()], list(letters))
    yield memory
    client.delete_memory(name)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_only_who_plots_imports_matplotlib() -> None:
    done = run("import hopfield_client, sys; assert 'matplotlib' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_plotting_leaves_pyplot_and_its_state_alone() -> None:
    done = run("import hopfield_client.plot, sys; assert 'matplotlib.pyplot' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_it_says_how_to_get_it() -> None:
    done = run("import sys; sys.modules['matplotlib'] = None; import hopfield_client.plot")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == "ImportError: hopfield_client.plot needs matplotlib: pip install 'hopfield-recall[plot]'"


WINDOW = """
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        print([manager.canvas.figure.axes[0].get_title() for manager in Gcf.get_all_fig_managers()])

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""


def test_a_picture_shows_itself_in_a_notebook(digits: Memory) -> None:
    picture = plot_recall(digits.trace(NOISY_EIGHT, seed=1))
    png = cast("Any", picture)._repr_png_()
    width, height = picture.get_size_inches() * picture.dpi
    assert Image.open(BytesIO(png)).size == pytest.approx((width, height), abs=1)


def test_a_script_shows_a_picture_in_a_window(tmp_path: Path) -> None:
    (tmp_path / "window.py").write_text(WINDOW)
    script = (
        "import matplotlib; matplotlib.use('module://window')\n"
        "from hopfield_client.plot._picture import Picture\n"
        "picture = Picture(); picture.add_subplot().set_title('a recall'); picture.show()\n"
        "from matplotlib import pyplot; assert pyplot.get_fignums() == []\n"
        "picture.savefig('picture.png')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "['a recall']\n", done.stderr
    assert done.returncode == 0
    assert (tmp_path / "picture.png").exists()


# A recall


def points(line: Line2D) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def frames(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def shown(axes: Axes) -> NDArray[np.float64]:
    (image,) = axes.images
    return np.asarray(image.get_array())


def marks(axes: Axes) -> int:
    return sum(points(line)[0].size for line in axes.lines)


def energy_line(figure: Figure) -> Line2D:
    (axes,) = [axes for axes in figure.axes if not axes.images]
    return axes.lines[0]


def title(figure: Figure) -> str:
    text = figure.get_suptitle()
    figure.draw_without_rendering()
    return text


def test_a_trace_of_images_is_a_row_of_frames(digits: Memory) -> None:
    steps = list(digits.trace(NOISY_EIGHT, seed=71))
    figure = plot_recall(digits.trace(NOISY_EIGHT, seed=71))
    assert len(frames(figure)) == len(steps) == 8
    for axes, step in zip(frames(figure), steps, strict=True):
        np.testing.assert_array_equal(shown(axes), step.pattern)
    # A sweep visits each neuron once, so that every flip is seen.
    assert [marks(axes) for axes in frames(figure)] == [step.flips for step in steps]
    assert [axes.get_xlabel() for axes in frames(figure)][:3] == [
        "query",
        "iteration 1\n23 flips",
        "iteration 2\n3 flips",
    ]
    line = energy_line(figure)
    np.testing.assert_array_equal(line.get_xdata(), range(8))
    np.testing.assert_array_equal(line.get_ydata(), [step.energy for step in steps])
    assert (np.diff(np.asarray(line.get_ydata())) <= 0).all()


def test_the_title_says_what_the_answer_is(digits: Memory) -> None:
    text = title(plot_recall(digits.trace(NOISY_EIGHT, seed=71)))
    assert text == "label 8 · overlap $m$ = +1.00 · match: pattern · converged after 7 iterations"
    assert title(plot_recall(list(digits.trace(NOISY_EIGHT, seed=71)))) == ""


def test_a_label_is_text_and_no_formula(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 8, rule="pseudo_inverse")
    memory.store(random_patterns(1, 8), r"$\no$ $")
    assert r"\$\no\$ \$" in title(plot_recall(memory.trace(random_patterns(1, 8)[0], seed=1)))
    plot_landscape(memory).draw_without_rendering()


def test_nothing_stored_has_no_label(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 4)
    text = title(plot_recall(memory.trace([1, -1, 1, 1], seed=1)))
    assert text == "match: none · converged after 1 iteration"


def test_of_many_iterations_some_are_drawn_first_and_last_among_them(digits: Memory) -> None:
    steps = list(digits.trace(NOISY_EIGHT, update="glauber", beta=np.geomspace(0.1, 5, 40), seed=1))
    figure = plot_recall(steps, frames=5)
    assert len(frames(figure)) == 5
    np.testing.assert_array_equal(shown(frames(figure)[0]), steps[0].pattern)
    np.testing.assert_array_equal(shown(frames(figure)[-1]), steps[-1].pattern)
    captions = [axes.get_xlabel().split("\n") for axes in frames(figure)[1:]]
    assert sum(int(flips.split()[0]) for _, flips in captions) == sum(step.flips for step in steps)
    assert captions[0][0] == "iterations 1\N{EN DASH}10"
    assert points(energy_line(figure))[0].size == len(steps)


def test_rows_become_images_where_a_shape_is_given(digits: Memory) -> None:
    steps = list(digits.trace(NOISY_EIGHT.ravel(), seed=71))
    for axes, step in zip(frames(plot_recall(steps, shape=(8, 8))), steps, strict=True):
        np.testing.assert_array_equal(shown(axes), step.pattern.reshape(8, 8))
    assert shown(frames(plot_recall(steps, shape=(4, 16)))[0]).shape == (4, 16)


def test_rows_are_one_raster_without(digits: Memory) -> None:
    steps = list(digits.trace(NOISY_EIGHT.ravel(), seed=71))
    figure = plot_recall(steps)
    (raster,) = frames(figure)
    np.testing.assert_array_equal(shown(raster), np.transpose([step.pattern for step in steps]))
    assert marks(raster) == sum(step.flips for step in steps)


@pytest.mark.parametrize("query", [DIGITS[8], np.where(DIGITS[8], 1, -1)], ids=["bool", "bipolar"])
def test_unknown_neurons_are_grey_and_their_first_state_is_no_flip(digits: Memory, query: NDArray[Any]) -> None:
    unknown = np.zeros((8, 8), bool)
    unknown[4:] = True
    figure = plot_recall(digits.trace(np.ma.masked_array(query, unknown), clamp=True, seed=1))
    np.testing.assert_array_equal(shown(frames(figure)[0]) == 0.5, unknown)
    assert marks(frames(figure)[1]) == 0


@beyond_capacity
def test_zeros_of_a_binary_memory_are_white(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 4, coding="binary", rule="pseudo_inverse")
    memory.store([0, 0, 1, 1], "a")
    (raster,) = frames(plot_recall(memory.trace([0, 1, 1, 1], seed=1)))
    assert shown(raster)[:, 0].tolist() == [0, 1, 1, 1]


def test_it_draws_where_it_is_told(digits: Memory) -> None:
    figure = Figure(layout="constrained")
    left, right = cast("tuple[SubFigure, SubFigure]", figure.subfigures(1, 2))
    assert plot_recall(digits.trace(NOISY_EIGHT, seed=71), figure=right) is figure
    assert left.axes == []
    assert len(right.axes) == 9
    figure.draw_without_rendering()


def test_what_cannot_be_drawn_is_said(digits: Memory) -> None:
    trace = digits.trace(NOISY_EIGHT, seed=71)
    steps: list[TraceStep] = list(trace)
    for arguments, field in (
        ((trace, {}), "trace"),
        ((steps, {"shape": (3, 3)}), "shape"),
        ((steps, {"frames": 1}), "frames"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            plot_recall(arguments[0], **cast("dict[str, Any]", arguments[1]))
        assert refused.value.field == field


# A landscape


def landscape(memory: Memory, neurons: int, **chosen: Any) -> Landscape:
    return survey(memory, neurons, **{"update": "asynchronous", "tie": "keep", **chosen})


def pictures(figure: Figure) -> list[AnnotationBbox]:
    return [artist for axes in figure.axes for artist in axes.artists if isinstance(artist, AnnotationBbox)]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def check(found: Landscape, memory: Memory) -> None:
    """Every state is in the basin of the attractor that the service takes it to."""
    basins = [attractor.basin for attractor in found.attractors]
    assert sorted(np.concatenate(basins).tolist()) == list(range(len(found.states)))
    answers = memory.recall_batch(found.states, order="sequential", max_iterations=1000)
    assert answers.converged.all()
    for attractor in found.attractors:
        assert len(attractor.states) == 1
        assert attractor.basin[0] == attractor.states[0]
        fixed_point = found.states[attractor.states[0]]
        assert memory.recall(fixed_point).iterations == 1
        assert (answers.patterns[attractor.basin] == fixed_point).all()
        assert (answers.energies[attractor.basin] == found.energies[attractor.states[0]]).all()
        assert (answers.matches[attractor.basin] == attractor.kind).all()


@beyond_capacity
def test_a_landscape_has_every_state_in_the_basin_it_falls_into(small: Memory) -> None:
    found = landscape(small, 12)
    check(found, small)
    kinds = [attractor.kind for attractor in found.attractors]
    assert sorted(kinds) == ["inverse"] * 3 + ["pattern"] * 3 + ["spurious"] * 2
    labels = {attractor.label for attractor in found.attractors if attractor.kind == "pattern"}
    assert labels == {"L", "H", "Z"}


@beyond_capacity
def test_it_is_the_same_in_the_other_coding(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 8, coding="binary", rule="storkey", thresholds=0.05)
    memory.store(random_patterns(2, 8) > 0)
    check(landscape(memory, 8), memory)
    assert len(pictures(plot_landscape(memory))) == len(landscape(memory, 8).attractors)


def test_imported_weights_have_fixed_points_without_names(client: HopfieldClient, name: str) -> None:
    weights = np.ones((3, 3)) - np.eye(3)
    memory = client.import_weights(name, weights)
    found = landscape(memory, 3)
    assert [(attractor.kind, len(attractor.basin)) for attractor in found.attractors] == [("none", 4), ("none", 4)]
    figure = plot_landscape(memory)
    assert words(figure) == ["$E$ = \N{MINUS SIGN}3.00\n4 states"] * 2
    assert "imported weights" in figure.axes[0].get_title()


@beyond_capacity
def test_an_attractor_has_its_picture_its_energy_and_the_size_of_its_basin(small: Memory) -> None:
    figure = plot_landscape(small)
    figure.draw_without_rendering()
    assert len(pictures(figure)) == 8
    images = {np.asarray(cast("Any", picture.offsetbox).get_data()).shape for picture in pictures(figure)}
    assert images == {(4, 3)}
    assert "H\n$E$ = \N{MINUS SIGN}4.83\n738 states" in words(figure)
    assert "\N{MINUS SIGN}H\n$E$ = \N{MINUS SIGN}4.83\n738 states" in words(figure)
    assert sum(int(text.split("\n")[-1].split()[0]) for text in words(figure)) == 4096
    assert figure.axes[0].get_title() == "$N$ = 12, Hebb, $P$ = 3: 4096 states, 8 attractors (asynchronous)"


@beyond_capacity
def test_the_dots_stand_at_the_energies_of_the_states_each_at_a_place_of_its_own(small: Memory) -> None:
    (axes,) = plot_landscape(small).axes
    dots = np.concatenate([line.get_xydata() for line in axes.lines if points(line)[0].size > 100])
    energies = landscape(small, 12).energies
    np.testing.assert_array_equal(np.sort(dots[:, 1]), np.sort(energies))
    assert len(np.unique(dots, axis=0)) == 4096


@beyond_capacity
def test_all_neurons_at_once_can_run_in_circles(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 4)
    memory.store([1, -1, -1, 1], "a")
    found = landscape(memory, 4, update="synchronous")
    sizes = sorted((attractor.kind, len(attractor.states), len(attractor.basin)) for attractor in found.attractors)
    assert sizes == [("cycle", 2, 2)] * 3 + [("inverse", 1, 5), ("pattern", 1, 5)]
    for attractor in found.attractors:
        for state, following in itertools.pairwise([*attractor.states, attractor.states[0]]):
            assert found.successors[state] == following
    assert len(pictures(plot_landscape(memory, update="synchronous"))) == 8


def test_a_flat_landscape_is_all_fixed_points(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 9)
    found = landscape(memory, 9)
    assert [(attractor.kind, len(attractor.basin)) for attractor in found.attractors] == [("none", 1)] * 512
    plot_landscape(memory).draw_without_rendering()
    assert len(landscape(memory, 9, tie="plus").attractors) == 1


@beyond_capacity
def test_where_words_have_no_room_what_was_stored_has_them(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 10)
    memory.store(random_patterns(3, 10, seed=2), ["a rather long label", "b", "c"])
    figure = plot_landscape(memory, update="synchronous")
    figure.draw_without_rendering()
    assert len(pictures(figure)) < len(landscape(memory, 10, update="synchronous").attractors)
    names = {text.split("\n")[0] for text in words(figure)}
    assert {
        "a rathe\N{HORIZONTAL ELLIPSIS}",
        "\N{MINUS SIGN}a rathe\N{HORIZONTAL ELLIPSIS}",
        "b",
        "\N{MINUS SIGN}b",
        "c",
        "\N{MINUS SIGN}c",
    } <= names


@beyond_capacity
def test_a_landscape_is_drawn_where_it_is_told(small: Memory) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot_landscape(small, axes=right) is figure
    assert not left.lines
    assert right.lines


def test_more_neurons_than_can_be_drawn_are_refused(digits: Memory) -> None:
    with pytest.raises(InvalidArgument, match="64 neurons, and 2\\^64 states; at most 14") as refused:
        plot_landscape(digits)
    assert refused.value.field == "memory"


def test_real_numbers_have_no_landscape(client: HopfieldClient, name: str) -> None:
    with pytest.raises(InvalidArgument, match="real numbers: it has no 2") as refused:
        plot_landscape(client.create_memory(name, 4, model=Modern(beta=1)))
    assert refused.value.field == "memory"


def test_a_landscape_of_nothing_is_not_found(client: HopfieldClient, name: str) -> None:
    with pytest.raises(NotFound):
        plot_landscape(client.memory(name))


# Capacity


def curves(figure: Figure) -> dict[str, tuple[list[float], list[float]]]:
    (axes,) = figure.axes
    return {
        str(container.get_label()): (list(container[0].get_xdata()), list(container[0].get_ydata()))
        for container in axes.containers
        if isinstance(container, ErrorbarContainer)
    }


def left_behind(client: HopfieldClient) -> list[str]:
    return [memory.name for memory in client.list_memories("plot-capacity-")]


def test_capacity_is_measured_for_each_rule_and_nothing_stays_behind(client: HopfieldClient) -> None:
    told: list[tuple[int, int]] = []
    figure = plot_capacity(
        client,
        neurons=100,
        rules=["hebbian", "pseudo_inverse"],
        loads=[0.02, 0.3],
        noise=0.1,
        nets=2,
        progress=lambda done, total: told.append((done, total)),
    )
    figure.draw_without_rendering()
    found = curves(figure)
    assert list(found) == [r"Hebb ($\alpha_c$ = 0.138)", r"pseudo-inverse ($\alpha_c$ = 1 $\rightarrow$)"]
    (hebb_loads, hebb), (_, projection) = found.values()
    assert hebb_loads == [0.02, 0.3]
    assert hebb[0] == projection[0] == 1
    assert hebb[1] < 0.2
    assert projection[1] > 0.8
    assert told == [(done, 8) for done in range(1, 9)]
    assert left_behind(client) == []
    dashed = [points(line)[0][0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed == [0.138]


def test_a_seed_gives_the_same_picture(client: HopfieldClient) -> None:
    chosen: dict[str, Any] = {"neurons": 50, "rules": ["storkey"], "loads": [0.2, 0.4], "nets": 2}
    first, again, other = (curves(plot_capacity(client, **chosen, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_single_net_has_no_error_bars(client: HopfieldClient) -> None:
    figure = plot_capacity(client, neurons=50, rules=["hebbian"], loads=[0.1], nets=1)
    (container,) = figure.axes[0].containers
    assert not cast("ErrorbarContainer", container).has_yerr


def test_a_measurement_that_is_stopped_leaves_nothing_behind(client: HopfieldClient) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plot_capacity(client, neurons=50, loads=[0.1], nets=1, progress=stop)
    assert left_behind(client) == []


def test_progress_is_shown_on_demand(client: HopfieldClient, capfd: pytest.CaptureFixture[str]) -> None:
    chosen: dict[str, Any] = {"neurons": 20, "rules": ["hebbian"], "loads": [0.1], "nets": 2}
    plot_capacity(client, **chosen)
    assert capfd.readouterr() == ("", "")
    axes = Figure().add_subplot()
    assert plot_capacity(client, **chosen, progress=True, axes=axes) is axes.figure
    assert capfd.readouterr() == ("", "\r1 of 2 measurements\r2 of 2 measurements\n")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rules": ["hebb"]}, "rules"),
        ({"rules": []}, "rules"),
        ({"loads": []}, "loads"),
        ({"loads": [0.001]}, "loads"),
        ({"loads": ["much"]}, "loads"),
        ({"noise": 0.6}, "noise"),
        ({"nets": 0}, "nets"),
        ({"neurons": 1}, "neurons"),
    ],
)
def test_what_cannot_be_measured_is_said_first(client: HopfieldClient, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        plot_capacity(client, **wrong)
    assert refused.value.field == field
    assert left_behind(client) == []
