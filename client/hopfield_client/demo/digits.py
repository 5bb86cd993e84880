"""The handwritten digits of the demo; DIGITS.md says where they come from."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.bool_]


def all_digits() -> tuple[Images, NDArray[np.uint8]]:
    """Every image, (1797, 8, 8) bool, and which digit it is, (1797,) uint8."""
    with files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        bits, digits = archive["bits"], archive["digits"]
    return np.unpackbits(bits, axis=1, bitorder="little").astype(np.bool_).reshape(-1, 8, 8), digits


def ten_digits() -> Images:
    """The first image of each digit from 0 to 9, (10, 8, 8) bool."""
    images, digits = all_digits()
    return images[[int(np.argmax(digits == digit)) for digit in range(10)]]


def distinct_digits() -> Images:
    """Every image that is not equal to another, once, (1750, 8, 8) bool."""
    images, _ = all_digits()
    distinct: Images = np.unique(images.reshape(len(images), -1), axis=0).reshape(-1, 8, 8)
    return distinct


def corrupted(images: Images, share: float, seed: int) -> Images:
    """Images with a share of the pixels of each flipped, drawn from a seed: 6 of 64 for a share of 0.1."""
    random = np.random.default_rng(seed)
    noisy = images.copy()
    for image in noisy.reshape(len(noisy), -1):
        image[random.choice(image.size, round(share * image.size), replace=False)] ^= True
    return noisy
