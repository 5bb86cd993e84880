"""The compose file, as it is written: every setting can be given to it. `tests/deploy` starts it for real."""

import re
from pathlib import Path

from hopfield_service.settings import Settings, variable

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
# Where the container listens and keeps its files is its own business; memories are in the Redis beside it.
OF_THE_CONTAINER = {"listen", "data_dir", "appendfsync", "valkey_bytes"}


def passed() -> dict[str, str]:
    """The variables of the service, and where their values come from."""
    return dict(re.findall(r"^      (HOPFIELD_[A-Z_]+): *(.*)$", TEXT, re.MULTILINE))


def test_it_passes_every_setting_but_those_of_the_container() -> None:
    assert set(passed()) == {variable(field) for field in set(Settings.model_fields) - OF_THE_CONTAINER}


def test_what_it_sets_can_be_set_otherwise() -> None:
    for name, value in passed().items():
        if name != "HOPFIELD_REDIS_URL":
            assert value == "" or re.fullmatch(rf"\$\{{{name}:-[0-9]+\}}", value), name


def test_the_readme_says_its_limits() -> None:
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    values = {name: int(value.rpartition(":-")[2].rstrip("}")) for name, value in passed().items() if ":-" in value}
    assert f"{values['HOPFIELD_MAX_NEURONS']:,} neurons (`HOPFIELD_MAX_NEURONS`)" in readme
    for name, words in (
        ("HOPFIELD_CACHE_BYTES", "of loaded networks"),
        ("HOPFIELD_MAX_BYTES_IN_FLIGHT", "for all calls in flight"),
        ("HOPFIELD_MAX_MESSAGE_BYTES", ""),
    ):
        assert re.search(rf"{values[name] >> 20} MiB ?{words} \(`{name}`\)", readme), name
