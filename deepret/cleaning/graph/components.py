"""Connected components of a class: which photographs show the same, by way of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def components(count: int, edges: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> list[list[int]]:
    """The connected components of a graph, the largest first; each ascending.

    Of equally large ones that of the larger sum of weights comes first, then that of the first node.

    Args:
        count: nodes, 0 … count − 1.
        edges: (m, 2) nodes.
        weights: (m,) of the edges, ≥ 0.

    Source: Gordo et al., "Deep Image Retrieval: learning global representations for image search", ECCV 2016, §3.
    """
    if count == 0:
        return []
    one, two = edges.reshape(-1, 2).T
    number, of = connected_components(coo_matrix((np.ones(len(one)), (one, two)), shape=(count, count)), directed=False)
    weight = np.bincount(of[one], weights, minlength=number)
    found: list[list[int]] = [[] for _ in range(number)]
    for node, component in enumerate(of.tolist()):
        found[component].append(node)
    return sorted(found, key=lambda nodes: (-len(nodes), -weight[of[nodes[0]]], nodes[0]))


def core(nodes: Sequence[int], edges: npt.NDArray[np.int64], links: int) -> list[int]:
    """The nodes of which each has ``links`` edges at least to others of them: the k-core of a component, ascending."""
    kept = set(nodes)
    neighbours: dict[int, set[int]] = {node: set() for node in kept}
    for one, two in edges.reshape(-1, 2).tolist():
        if one in kept and two in kept and one != two:
            neighbours[one].add(two)
            neighbours[two].add(one)
    leaving = [node for node in kept if len(neighbours[node]) < links]
    while leaving:
        node = leaving.pop()
        if node not in kept:
            continue
        kept.discard(node)
        for other in neighbours[node]:
            neighbours[other].discard(node)
            if other in kept and len(neighbours[other]) < links:
                leaving.append(other)
    return sorted(kept)
