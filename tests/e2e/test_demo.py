"""The demo, run as a user runs it, and what it promises of the digits."""

import os
import subprocess
import sys

import numpy as np
from tests.processes import ServiceProcess

from hopfield_client import Dense, HopfieldClient
from hopfield_client.demo.digits import all_digits, corrupted, distinct_digits, ten_digits


def demo(columns: int, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "hopfield_client.demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": str(columns), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_demo_recalls_ten_of_ten_shows_hebb_failing_and_ends_by_itself() -> None:
    done = demo(columns=100)
    assert done.stdout.startswith("starting the service (its first start compiles the kernels: up to a minute)\n")
    assert "10% noise: 10 of 10 exact" in done.stdout
    assert "0 of 10 stay as they are" in done.stdout
    assert "20% noise: 10 of 10 exact" in done.stdout
    assert "all 1750 distinct images of the set" in done.stdout
    assert "█" in done.stdout
    assert done.stderr == ""


def test_on_a_narrow_console_the_demo_says_so_and_is_80_columns_wide() -> None:
    first, *lines = demo(columns=50).stdout.splitlines()
    assert first == "the demo needs 80 columns; here are 50"
    assert max(len(line) for line in lines) == 80
    assert "…" not in "".join(lines)
    assert "Ten handwritten digits in 64 neurons, learnt by the pseudo-inverse rule." in [
        line.rstrip() for line in lines
    ]


def test_where_the_output_is_not_utf_8_the_demo_draws_with_letters() -> None:
    done = demo(columns=100, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert done.stdout.isascii()
    assert "10% noise: 10 of 10 exact" in done.stdout
    assert "####" in done.stdout
    assert done.stderr == ""


def test_the_digits_are_all_there() -> None:
    images, digits = all_digits()
    assert images.shape == (1797, 8, 8)
    assert np.bincount(digits).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert distinct_digits().shape == (1750, 8, 8)


def test_98_of_100_digits_come_back_exact_from_10_percent_noise(server: ServiceProcess) -> None:
    images, draws = ten_digits(), 100
    noisy = np.concatenate([corrupted(images, 0.1, seed) for seed in range(draws)])
    assert ((noisy != np.tile(images, (draws, 1, 1))).sum(axis=(1, 2)) == 6).all()
    with HopfieldClient(server.address) as client:
        memory = client.create_memory("ten-digits", neurons=64, rule="pseudo_inverse")
        memory.store(images)
        answers = memory.recall_batch(noisy, seed=0)
    exact = (answers.patterns == np.tile(images, (draws, 1, 1))).all(axis=(1, 2)).mean()
    assert exact >= 0.98, f"{exact:.1%}"


def test_an_exponential_memory_of_all_distinct_digits_gives_most_of_them_back(server: ServiceProcess) -> None:
    images = distinct_digits()
    with HopfieldClient(server.address, timeout=60.0) as client:
        memory = client.create_memory("all-digits", 64, model=Dense(exponential=True), shape=(8, 8))
        memory.store(images)
        answers = memory.recall_batch(corrupted(images, 0.1, seed=1), seed=1)
        client.delete_memory("all-digits")
    exact = (answers.patterns == images).all(axis=(1, 2)).mean()
    assert exact >= 0.66, f"{exact:.1%}"
