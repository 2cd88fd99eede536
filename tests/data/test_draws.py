"""Decks deal evenly, and without the same card twice in a hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deepret.data.draws import Deck, Draw, counted

HANDS = st.lists(st.integers(0, 12), min_size=1, max_size=30)


@given(st.integers(1, 12), HANDS, st.integers(0, 99))
def test_each_card_comes_once_before_any_comes_again(size: int, hands: list[int], seed: int) -> None:
    deck, seen = Deck(size, np.random.default_rng(seed)), Counter(dict.fromkeys(range(size), 0))
    for count in hands:
        hand = deck.deal(count)
        assert len(hand) == count
        in_hand = Counter(hand)
        assert max(in_hand.values(), default=0) <= -(-count // size)  # none twice while there are enough
        seen.update(hand)
        assert set(seen) == set(range(size))
        assert max(seen.values()) - min(seen.values()) <= 1
    again = Deck(size, np.random.default_rng(seed))
    assert Counter(card for count in hands for card in again.deal(count)) == +seen


def slow_hands(size: int, hands: list[int], random: np.random.Generator) -> list[list[int]]:
    """The slow twin: one card at a time, the first in the deck that the hand does not have yet."""
    deck: list[int] = []
    found = []
    for count in hands:
        hand: list[int] = []
        for _ in range(count):
            fitting = [card for card in deck if card not in hand]
            if not fitting:
                deck += random.permutation(size).tolist()
                fitting = [card for card in deck if card not in hand]
            deck.remove(fitting[0])
            hand.append(fitting[0])
        found.append(hand)
    return found


@given(st.integers(1, 12), HANDS, st.integers(0, 99))
def test_hands_are_those_of_the_slow_twin(size: int, hands: list[int], seed: int) -> None:
    hands = [min(count, size) for count in hands]
    deck = Deck(size, np.random.default_rng(seed))
    assert [deck.deal(count) for count in hands] == slow_hands(size, hands, np.random.default_rng(seed))


def test_an_empty_deck_deals_empty_hands() -> None:
    assert Deck(0, np.random.default_rng(0)).deal(0) == []


def test_draws_count_how_often_a_row_has_come() -> None:
    drawn: Counter[int] = Counter()
    assert counted([5, 5, 7], 2, drawn) == [Draw(5, 2, 0), Draw(5, 2, 1), Draw(7, 2, 0)]
    assert counted([7, 5], 2, drawn) == [Draw(7, 2, 1), Draw(5, 2, 2)]
