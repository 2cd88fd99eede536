"""Where the photographs of a class stand in the drawing of its graph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import networkx
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RADIUS, PITCH, GAP, WIDTH = 22, 56, 34, 760
"""Of a node, between two at the least, between components, and of the drawing at the most."""
ROOM = 1.5
"""A component of n nodes has the area of a square of side (ROOM · √n − ½) · PITCH."""


def layout(count: int, edges: Sequence[tuple[int, int]], seed: int = 0) -> tuple[Array, float, float]:
    """Places (count, 2) of nodes, and the width and height that they take.

    Each connected component is laid out for itself by springs, and turned so that it is wide rather than high; they
    stand side by side in rows, the largest first, and nodes without any edge in rows below.

    Args:
        count: nodes.
        edges: pairs of them.
        seed: of the springs.

    Source: Fruchterman and Reingold, "Graph drawing by force-directed placement", Software: Practice and Experience
        1991.
    """
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges)
    places = np.zeros((count, 2))
    x = y = row = right = 0.0
    parts = sorted((sorted(part) for part in networkx.connected_components(graph)), key=lambda p: (-len(p), p[0]))
    for part in (part for part in parts if len(part) > 1):
        own = component(graph.subgraph(part), part, seed)
        width, height = own.max(axis=0) + PITCH / 2
        if x and x + width > WIDTH:
            x, y, row = 0.0, y + row + GAP / 2, 0.0
        places[part] = own + np.array([x, y])
        x, row, right = x + width + GAP, max(row, height), max(right, x + width)
    alone = [part[0] for part in parts if len(part) == 1]
    columns = min(len(alone), WIDTH // PITCH, max(int(right // PITCH), 8, math.ceil(math.sqrt(3 * len(alone)))))
    for i, node in enumerate(alone):
        places[node] = ((i % columns + 0.5) * PITCH, y + row + (i // columns + 0.5) * PITCH)
    height = y + row + (math.ceil(len(alone) / columns) * PITCH if alone else 0)
    return places, max(right, columns * PITCH), height


def component(graph: networkx.Graph, nodes: Sequence[int], seed: int) -> Array:
    """Places of a connected component's nodes, PITCH / 2 and more from the left and the top."""
    found = networkx.spring_layout(graph, iterations=200, seed=seed)
    places = np.array([found[node] for node in nodes])
    places -= places.mean(axis=0)
    places = places @ np.linalg.svd(places)[2].T
    side = (ROOM * math.sqrt(len(nodes)) - 0.5) * PITCH
    width = min(1.25 * side, WIDTH - PITCH)
    extent = np.maximum(np.ptp(places, axis=0), 1e-9)
    scale = np.minimum(np.array([width, side * side / width]) / extent, 1.4 * side / extent.max())
    places = apart(places * scale)
    places -= places.min(axis=0) - PITCH / 2
    return places


def apart(places: Array, steps: int = 200) -> Array:
    """Places (n, 2) of which no two are nearer than PITCH, moved as little as pushing two and two apart does.

    They stay within the width of the drawing, whose middle is at 0.
    """
    places = places.copy()
    for _ in range(steps):
        way = places[:, None] - places[None]
        distance = np.sqrt((way**2).sum(axis=2))
        np.fill_diagonal(distance, np.inf)
        missing = np.maximum(PITCH - distance, 0.0)
        if not (missing > 0.5).any():
            break
        direction = way / np.maximum(distance, 1e-6)[..., None]
        places += (direction * missing[..., None]).sum(axis=1) / 2
        places[:, 0] = places[:, 0].clip((PITCH - WIDTH) / 2, (WIDTH - PITCH) / 2)
    return places
