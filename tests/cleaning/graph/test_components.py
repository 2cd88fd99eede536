"""Components and k-cores against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepret.cleaning.graph.components import components, core

Edges = list[tuple[int, int]]


def graph(count: int, edges: Edges) -> nx.Graph:
    found = nx.Graph()
    found.add_nodes_from(range(count))
    found.add_edges_from(edges)
    return found


def array(edges: Edges) -> np.ndarray:
    return np.array(edges, np.int64).reshape(-1, 2)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Edges]:
    count = draw(st.integers(1, 14))
    nodes = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(nodes, nodes), max_size=30))


@given(graphs(), st.integers(0, 1000))
def test_components_are_those_of_networkx_the_largest_first(some: tuple[int, Edges], seed: int) -> None:
    count, edges = some
    weights = np.random.default_rng(seed).integers(1, 4, len(edges)).astype(float)
    found = components(count, array(edges), weights)
    whole = graph(count, edges)
    assert {frozenset(nodes) for nodes in found} == {frozenset(nodes) for nodes in nx.connected_components(whole)}
    assert all(nodes == sorted(nodes) for nodes in found)
    ranks = []
    for nodes in found:
        weight = sum(w for (one, _), w in zip(edges, weights, strict=True) if one in nodes)
        ranks.append((-len(nodes), -weight, nodes[0]))
    assert ranks == sorted(ranks)


@given(graphs(), st.integers(0, 5))
def test_the_core_is_that_of_networkx(some: tuple[int, Edges], links: int) -> None:
    count, edges = some
    whole = graph(count, [(one, two) for one, two in edges if one != two])
    for nodes in nx.connected_components(whole):
        expected = sorted(nx.k_core(whole.subgraph(nodes), links))
        assert core(sorted(nodes), array(edges), links) == expected


def test_of_equally_large_ones_the_heavier_then_the_first() -> None:
    edges = array([(0, 1), (2, 3), (4, 5)])
    assert components(7, edges, np.array([1.0, 5, 1])) == [[2, 3], [0, 1], [4, 5], [6]]


def test_nodes_of_others_do_not_hold_a_node_in_the_core() -> None:
    edges = array([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (3, 5)])
    assert core([0, 1, 2, 3], edges, 2) == [0, 1, 2]
    assert core([0, 1, 2], edges, 3) == []


@pytest.mark.parametrize("edges", [np.zeros((0, 2), np.int64), np.zeros(0, np.int64)])
def test_no_edge_and_no_node(edges: np.ndarray) -> None:
    assert components(3, edges, np.zeros(0)) == [[0], [1], [2]]
    assert components(0, edges, np.zeros(0)) == []
    assert core([], edges, 1) == []
    assert core([0, 1], edges, 1) == []
