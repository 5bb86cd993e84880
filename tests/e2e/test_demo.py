"""The demo, run as a user runs it, and what it promises of the digits."""

import os
import subprocess
import sys

import numpy as np
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient
from hopfield_client.demo.digits import all_digits, corrupted, ten_digits


def test_the_demo_recalls_ten_of_ten_shows_hebb_failing_and_ends_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hopfield_client.demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stderr
    assert "10% noise: 10 of 10 exact" in done.stdout
    assert "0 of 10 stay as they are" in done.stdout
    assert "█" in done.stdout
    assert done.stderr == ""


def test_the_digits_are_all_there() -> None:
    images, digits = all_digits()
    assert images.shape == (1797, 8, 8)
    assert np.bincount(digits).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len(np.unique(images.reshape(1797, 64), axis=0)) == 1750


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
