"""Answers as JSON, and handles, traces and answers as consoles and notebooks show them."""

import html
import json
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.client.letters import LABELS, PATTERNS, N

from hopfield_client import CapacityWarning, Dense, HopfieldClient, Memory, Modern, Ring


def as_json(answer: Any) -> dict[str, Any]:
    """What `to_dict` gives, and that it is JSON as it stands: no NaN, nothing that comes back as something else."""
    values: dict[str, Any] = answer.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert list(values) == [*getattr(answer, "_fields", getattr(answer, "__dataclass_fields__", ()))]
    return values


# JSON


def test_answers_of_a_memory_are_json(client: HopfieldClient, letters: Memory) -> None:
    info = as_json(letters.info())
    assert (info["name"], info["pattern_count"], info["model"]) == (letters.name, len(LABELS), None)
    assert info["created"].endswith("+00:00")
    assert as_json(letters.store(-PATTERNS[:1], "inverse"))["labels"] == ["inverse"]
    letters.forget("inverse")

    query = PATTERNS[1].reshape(8, 8)
    answer = letters.recall(query)
    assert as_json(answer)["pattern"] == query.tolist()
    assert as_json(letters.recall(query > 0))["pattern"] == (query > 0).tolist()
    batch = as_json(letters.recall_batch(PATTERNS[:2]))
    assert (batch["labels"], batch["matches"], batch["attentions"]) == (LABELS[:2], ["pattern"] * 2, [{}, {}])
    assert as_json(letters.nearest(query, include_patterns=True)[0])["pattern"] == query.tolist()
    assert as_json(next(iter(letters.patterns()))) == {"label": LABELS[0], "pattern": PATTERNS[0].tolist()}
    assert as_json(letters.diagnose())["weights"]["asymmetry"] == 0
    assert as_json(client.server_info())["update_rules"]


def test_models_and_outcomes_are_json(client: HopfieldClient, name: str) -> None:
    dense = client.create_memory(f"{name}.dense", 9, model=Dense(degree=3)).info()
    assert as_json(dense)["model"] == {"degree": 3, "exponential": False}
    perceptron = client.create_memory(f"{name}.perceptron", 9, rule="perceptron", thresholds=0.5)
    perceptron.store(np.ones((1, 9), int))
    assert as_json(perceptron.info())["learning"]["converged"] is True
    assert perceptron.info().to_dict()["thresholds"] == [0.5] * 9
    modern = client.create_memory(f"{name}.modern", 2, model=Modern(beta=8))
    modern.store([[1.0, 0.5]], "a")
    assert as_json(modern.recall([1.0, 0.0]))["attention"] == {"a": 1.0}


def test_what_is_no_number_is_null(client: HopfieldClient, name: str) -> None:
    empty = client.create_memory(f"{name}.empty", 4)
    assert as_json(empty.recall_batch(np.ones((2, 4), int)))["overlaps"] == [None, None]
    ring = client.create_memory(f"{name}.ring", model=Ring())
    assert as_json(ring.recall(np.full(64, 20.0)))["heading"] is None


def test_a_masked_value_of_a_step_is_null(letters: Memory) -> None:
    query = np.ma.masked_array(PATTERNS[0] > 0, np.arange(N) < 3)
    first = next(letters.trace(query))
    assert as_json(first)["pattern"][:4] == [None, None, None, bool(PATTERNS[0, 3] > 0)]


# In a console


def test_a_handle_shows_what_it_knows(client: HopfieldClient, name: str) -> None:
    kind = "AsyncMemory" if "Async" in repr(client.memory(name)) else "Memory"
    assert repr(client.memory(name)) == f"{kind}({name!r})"
    assert repr(client.memory(name, shape=(8, 8), coding="binary")) == (
        f"{kind}({name!r}, shape=(8, 8), coding='binary')"
    )
    made = client.create_memory(name, 6, shape=(2, 3))
    assert repr(made) == f"{kind}({name!r}, shape=(2, 3), coding='bipolar')"


def test_a_trace_shows_how_far_it_is(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 4, rule="pseudo_inverse")
    memory.store([1, -1, 1, -1], "a")
    trace = memory.trace([1, -1, 1, 1], seed=1)
    assert repr(trace).endswith("Trace(steps=none yet)")
    next(trace)
    assert repr(trace).endswith("Trace(steps=1, flips=0, energy=0 from 0)")
    assert list(trace)[-1].energy == -1.5
    assert repr(trace).endswith(f"Trace(steps=3, flips=1, energy=-1.5 from 0, recall={trace.recall!r})")


# In a notebook


def shown(value: Any) -> dict[str, str]:
    """The table that a notebook shows; its document is well-formed."""
    document = ET.fromstring(value._repr_html_())
    rows = [["".join(cell.itertext()) for cell in row] for row in document.iter("tr")]
    return {"caption": "".join(document.find("table/caption").itertext()), **dict(rows)}  # type: ignore[union-attr]


def pixels(value: Any) -> list[set[tuple[int, int]]]:
    """The black and the grey pixels of the picture in it, (row, column)."""
    document = ET.fromstring(value._repr_html_())
    found = []
    for path in document.iter("{http://www.w3.org/2000/svg}path"):
        squares = [square.split("h")[0].split() for square in (path.get("d") or "").split("M")[1:]]
        found.append({(int(row), int(column)) for column, row in squares})
    return found


def test_a_notebook_shows_handles_without_asking_the_server(client: HopfieldClient) -> None:
    client.close()
    memory = client.memory("digits", shape=(8, 8), coding="binary")
    assert shown(memory)["caption"].endswith("Memory 'digits'")
    assert (shown(memory)["shape"], shown(memory)["coding"]) == ("(8, 8)", "binary")
    assert "shape" not in shown(client.memory("digits"))
    assert shown(client.ring("compass"))["kind"] == "ring attractor"
    assert shown(client.sheet("grid"))["kind"] == "sheet attractor"


def test_a_notebook_shows_answers(letters: Memory) -> None:
    query = PATTERNS[0].reshape(8, 8)
    answer = letters.recall(query)
    assert (shown(answer)["label"], shown(answer)["match"], shown(answer)["overlap"]) == ("A", "pattern", "1")
    black, grey = pixels(answer)
    assert black == {(int(row), int(column)) for row, column in np.argwhere(query > 0)}
    assert grey == set()
    # Only images are pictures.
    assert pixels(letters.recall(PATTERNS[0])) == []
    info = shown(letters.info())
    assert (info["neurons"], info["rule"]) == ("64", "pseudo_inverse")
    diagnosis = shown(letters.diagnose())
    assert diagnosis["stable"] == "5 (of 5)"
    assert letters.diagnose().verdict in html.unescape(letters.diagnose()._repr_html_())


def test_a_notebook_shows_a_trace(letters: Memory) -> None:
    query = PATTERNS[0].reshape(8, 8)
    trace = letters.trace(query)
    assert shown(trace)["steps"] == "none yet"
    steps = list(trace)
    table = shown(trace)
    assert table["steps"] == str(len(steps))
    assert table["recall"] == repr(trace.recall)
    assert pixels(trace) == pixels(trace.recall)


def test_a_notebook_runs_nothing_that_a_name_or_a_label_says(client: HopfieldClient, name: str) -> None:
    wicked = '<script>alert("&")</script>'
    assert shown(client.memory(wicked))["caption"].endswith(f"Memory {wicked!r}")
    memory = client.create_memory(name, 4, rule="pseudo_inverse")
    memory.store([[1, 1, 1, 1]], [wicked])
    trace = memory.trace([1, 1, 1, 1])
    list(trace)
    for value in (memory.recall([1, 1, 1, 1]), trace, client.memory(wicked)):
        assert "<script" not in value._repr_html_()
    assert shown(memory.recall([1, 1, 1, 1]))["label"] == wicked


@pytest.mark.filterwarnings("error")
def test_a_diagnosis_of_many_patterns_is_a_table(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 8)
    with pytest.warns(CapacityWarning):
        memory.store(np.random.default_rng(0).choice([-1, 1], (6, 8)))
    found = memory.diagnose()
    assert shown(found)["load"] == "0.750 (capacity 0.138)"
    assert shown(found)["patterns"] == "6"
