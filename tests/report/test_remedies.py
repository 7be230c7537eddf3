"""Every kind of failure has its words and its remedy."""

import pytest

from wsload import _core
from wsload.report import remedies


@pytest.mark.parametrize("kind", _core.FAILURE_KINDS)
def test_every_kind_has_a_title_and_a_remedy(kind: str) -> None:
    assert remedies.title(kind, "") != kind
    assert remedies.remedy(kind, "").endswith(".")


def test_no_words_for_kinds_that_do_not_exist() -> None:
    assert set(remedies.TITLES) == set(_core.FAILURE_KINDS)


def test_a_short_detail_stands_in_the_title_and_a_sentence_does_not() -> None:
    assert remedies.title("upgrade_rejected", "404") == "upgrade rejected (404)"
    sentence = "the server broke the protocol: a frame from the server is masked"
    assert remedies.title("protocol_error", sentence) == "protocol broken by the server"


def test_a_detail_may_have_a_remedy_of_its_own() -> None:
    assert remedies.remedy("upgrade_rejected", "404") == (
        "There is no such path on the server: check the path in the URL."
    )
    assert remedies.remedy("upgrade_rejected", "500") == remedies.remedy("upgrade_rejected", "")


def test_a_kind_of_a_later_version_is_shown_as_it_is() -> None:
    assert remedies.title("solar_flare", "x1") == "solar_flare (x1)"
    assert remedies.remedy("solar_flare", "x1") == ""
