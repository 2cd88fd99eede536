"""What is kept of a class and why the rest is not: every reason, on classes made up of links."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepret.cleaning.cleaned import CleanedClass, clean_class, copies_of, without_singles
from deepret.cleaning.pairs.compared import Compared, columns
from deepret.cleaning.settings import GraphSettings
from deepret.cleaning.verification.base import Match
from deepret.data.catalogue import Catalogue
from deepret.errors import UserError

Links = Mapping[tuple[int, int], int]
BOX = (0.0, 0.0, 1.0, 1.0)


def compared(links: Links) -> Compared:
    """Pairs of a score of their own: as many inliers as cells, and no other match."""
    found = [(pair, Match(s, s, s, np.eye(3) * (1 + pair[0]), (BOX, BOX))) for pair, s in links.items()]
    return columns(found, 10 * len(found))


def of(*edges: tuple[int, int]) -> Links:
    return dict.fromkeys(edges, 20)


def clean(
    edges: Links,
    rows: int = 6,
    copies: Mapping[int, int] | None = None,
    unusable: Mapping[int, str] | None = None,
    taken: tuple[str, ...] = (),
    **options: object,
) -> CleanedClass:
    names = [f"{row}.jpg" for row in range(100)]
    return clean_class(
        "tower",
        range(10, 10 + rows),
        compared(edges),
        10.0,
        GraphSettings(**options),
        copies or {},
        unusable or {},
        names,
        taken,
    )


TRIANGLE = [(10, 11), (11, 12), (10, 12)]


def test_the_largest_component_is_kept() -> None:
    found = clean({**of(*TRIANGLE, (13, 14)), (12, 13): 10, (14, 15): 3})
    assert found.labels == dict.fromkeys([10, 11, 12], "tower")
    assert found.reasons == {
        13: "its group has 2 photographs, the largest of its class 3",
        14: "its group has 2 photographs, the largest of its class 3",
        15: "no verified pair with another of its class",
    }
    assert found.rows == list(range(10, 16))
    assert len(found.verified) == 4, "a score that is the threshold is no link"
    assert (found.compared, found.threshold, found.label) == (60, 10.0, "tower")
    assert sorted(map(tuple, found.kept.rows.tolist())) == sorted(TRIANGLE)


def test_communities_become_classes_of_their_own() -> None:
    found = clean(of((13, 14), *TRIANGLE), communities=True)
    assert found.labels == {10: "tower.1", 11: "tower.1", 12: "tower.1", 13: "tower.2", 14: "tower.2"}
    assert found.reasons == {15: "no verified pair with another of its class"}
    assert len(found.kept) == 4
    alone = clean(of(*TRIANGLE), communities=True)
    assert set(alone.labels.values()) == {"tower"}


def test_groups_of_fewer_than_least() -> None:
    found = clean(of(*TRIANGLE, (13, 14)), communities=True, least=3)
    assert found.labels == dict.fromkeys([10, 11, 12], "tower")
    assert found.reasons[13] == "its group has 2 photographs, fewer than graph.least=3"
    assert found.reasons[15] == "no verified pair with another of its class"
    nothing = clean(of(*TRIANGLE, (13, 14)), least=4)
    assert nothing.labels == {}
    assert nothing.reasons[10] == "its group has 3 photographs, fewer than graph.least=4"
    assert len(nothing.kept) == 0


def test_links_that_each_needs() -> None:
    found = clean(of(*TRIANGLE, (12, 13), (13, 14)), links=2)
    assert sorted(found.labels) == [10, 11, 12]
    few = "fewer than 2 verified pairs with others that have as many"
    assert found.reasons == {13: few, 14: few, 15: "no verified pair with another of its class"}
    assert sorted(map(tuple, found.kept.rows.tolist())) == sorted(TRIANGLE)
    chain = clean(of((10, 11), (11, 12), (12, 13)), links=2)
    assert chain.labels == {}
    assert set(chain.reasons.values()) == {few, "no verified pair with another of its class"}


def test_what_is_left_of_a_group_is_fewer_than_least() -> None:
    found = clean(of(*TRIANGLE, (12, 13)), links=2, least=4)
    assert found.labels == {}
    assert found.reasons[13] == "fewer than 2 verified pairs with others that have as many"
    assert found.reasons[10] == "its group has 3 photographs, fewer than graph.least=4"


def test_a_long_chain_does_not_take_the_place_of_a_dense_group() -> None:
    chain = [(13, 14), (14, 15), (15, 16), (16, 17)]
    assert sorted(clean(of(*TRIANGLE, *chain), rows=8, links=2).labels) == [10, 11, 12]
    assert sorted(clean(of(*TRIANGLE, *chain), rows=8).labels) == [13, 14, 15, 16, 17]


def test_copies_are_named_and_their_links_do_not_count() -> None:
    found = clean(of(*TRIANGLE, (13, 12), (13, 11), (13, 14)), copies={13: 12})
    assert sorted(found.labels) == [10, 11, 12]
    assert found.reasons[13] == "copy of 12.jpg"
    assert found.reasons[14] == "no verified pair with another of its class"
    assert sorted(map(tuple, found.verified.rows.tolist())) == sorted(TRIANGLE)
    other = clean(of(*TRIANGLE), copies={55: 56})
    assert 55 not in other.reasons


def test_what_cannot_be_read_is_not_kept_with_a_class_without_links() -> None:
    found = clean(of(), unverified="keep", unusable={11: "it cannot be read: empty", 12: "no local features in it"})
    assert sorted(found.labels) == [10, 12, 13, 14, 15]
    assert found.reasons == {11: "it cannot be read: empty"}


def test_unusable_ones_have_a_reason_of_their_own() -> None:
    found = clean(of(*TRIANGLE), unusable={13: "no local features in it", 14: "it cannot be read: empty"})
    assert found.reasons[13] == "no local features in it"
    assert found.reasons[14] == "it cannot be read: empty"
    assert found.reasons[15] == "no verified pair with another of its class"


@pytest.mark.parametrize("links", [{}, {(10, 11): 10, (12, 13): 4}])
def test_no_pair_is_verified(links: Links) -> None:
    dropped = clean(links, copies={12: 11}, unusable={15: "no local features in it"})
    assert dropped.labels == {}
    nothing = "no pair of its class is verified"
    assert dropped.reasons == {
        10: nothing, 11: nothing, 12: "copy of 11.jpg", 13: nothing, 14: nothing, 15: "no local features in it"
    }  # fmt: skip
    kept = clean(links, copies={12: 11}, unverified="keep")
    assert kept.labels == dict.fromkeys([10, 11, 13, 14, 15], "tower")
    assert kept.reasons == {12: "copy of 11.jpg"}
    assert len(kept.kept) == 0
    with pytest.raises(UserError, match=r"^tower: no two of its 6 photographs .* graph\.unverified=drop or keep"):
        clean(links, unverified="stop")


def test_stop_and_keep_let_verified_classes_be() -> None:
    for unverified in ("stop", "keep"):
        found = clean(of(*TRIANGLE), unverified=unverified)
        assert sorted(found.labels) == [10, 11, 12]
        assert found.reasons[13] == "no verified pair with another of its class"


def test_a_class_of_one_photograph() -> None:
    assert clean({}, rows=1).reasons == {10: "the only photograph of its class"}
    assert clean({}, rows=1, unverified="stop").reasons == {10: "the only photograph of its class"}
    both = clean(of((10, 11)), rows=2, copies={11: 10})
    assert both.labels == {}
    assert both.reasons == {10: "the only photograph of its class", 11: "copy of 10.jpg"}


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(list(combinations(range(10, 18), 2))), st.integers(1, 30)),
    st.dictionaries(st.integers(10, 17), st.integers(10, 17), max_size=3),
    st.booleans(),
    st.integers(2, 4),
    st.integers(1, 3),
    st.sampled_from(["drop", "keep"]),
)
def test_each_photograph_is_kept_or_has_a_reason(
    links: Links, copies: dict[int, int], communities: bool, least: int, needed: int, unverified: str
) -> None:
    found = clean(
        links, 8, copies, {16: "bad"}, communities=communities, least=least, links=needed, unverified=unverified
    )
    assert sorted([*found.labels, *found.reasons]) == list(range(10, 18))
    assert not set(copies) & set(found.labels)
    if len(found.verified):
        for label in set(found.labels.values()):
            own = {row for row, other in found.labels.items() if other == label}
            assert len(own) >= least
            for row in own:
                partners = {b if a == row else a for a, b in found.kept.rows.tolist() if row in (a, b)}
                assert len(partners) >= needed
                assert partners <= own


def catalogue(splits: list[str]) -> Catalogue:
    n = len(splits)
    return Catalogue(
        Path("photos"), [f"{i}.jpg" for i in range(n)], ["tower"] * n, splits, [(9, 9)] * n, [[]] * n, [False] * n
    )


def test_one_that_is_left_alone_in_its_split_is_dropped() -> None:
    nothing = columns([], 0)
    labels = {0: "a", 1: "a", 2: "a", 3: "b", 4: "b"}
    one = CleanedClass("a", list(range(6)), labels, {5: "copy of 1.jpg"}, nothing, 3, 10.0)
    (found,) = without_singles([one], catalogue(["train", "train", "val", "val", "val", "train"]))
    assert found.labels == {0: "a", 1: "a", 3: "b", 4: "b"}
    assert found.reasons == {5: "copy of 1.jpg", 2: "the only one of its class that is left in val"}
    assert (found.label, found.rows, found.compared, found.threshold) == ("a", one.rows, 3, 10.0)


def test_a_query_may_be_alone_in_its_class() -> None:
    one = clean_class("a", [0, 1], compared({(0, 1): 20}), 10.0, GraphSettings(), {}, {}, ["0.jpg", "1.jpg"])
    (found,) = without_singles([one], catalogue(["query", "gallery"]))
    assert found.labels == {0: "a", 1: "a"}


def test_a_new_label_is_no_other_class_s() -> None:
    found = clean(of((13, 14), *TRIANGLE), communities=True, taken=("tower", "tower.1", "tower.3"))
    assert set(found.labels.values()) == {"tower.2", "tower.4"}


def test_the_largest_of_copies_stands_for_them() -> None:
    sizes = [(10, 10)] * 10
    sizes[4] = (30, 20)
    sizes[2] = (24, 25)
    names = [f"{9 - i}.jpg" for i in range(10)]
    assert copies_of([(1, 4), (4, 7)], sizes, names) == {1: 4, 7: 4}
    assert copies_of([(1, 2), (2, 4)], sizes, names) == {1: 4, 2: 4}, "of equally large ones the first by name"
    assert copies_of([(1, 3), (5, 6)], sizes, names) == {1: 3, 5: 6}
    assert copies_of([], sizes, names) == {}
