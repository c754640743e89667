"""Branching trees that fill a given set of points: pulmonary arteries, veins and bronchi."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Straight branches, each from its parent's end to its own end.

    start, stop: (n, 3) mm (x, y, z); parent: (n,) index or -1; radius: (n,) mm at the branch's end.
    Parents come before their children.
    """

    start: np.ndarray
    stop: np.ndarray
    parent: np.ndarray
    radius: np.ndarray

    @property
    def start_radius(self) -> np.ndarray:
        """Radius at each branch's start: a little wider than at its end, never wider than its parent."""
        parent = np.where(self.parent < 0, self.radius, self.radius[self.parent])
        return np.minimum(parent, 1.2 * self.radius)

    def shifted_beside(self, gap: np.ndarray, direction: np.ndarray) -> Tree:
        """The same tree moved by `gap` mm (one per branch end) along `direction`, made nearly square to the branch."""
        along = self.stop - self.start
        along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
        side = direction - 0.8 * along * (along @ direction)[:, None]
        side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
        stop = self.stop + gap[:, None] * side
        first = self.start + gap[:, None] * direction
        start = np.where(self.parent[:, None] < 0, first, stop[self.parent])
        return Tree(start, stop, self.parent, self.radius)


def grow(
    root: np.ndarray,
    targets: np.ndarray,
    rng: np.random.Generator,
    *,
    tip_radius: float,
    exponent: float,
    step: float = 0.42,
) -> Tree:
    """Grow a tree from `root` so that one tip comes close to every target.

    Every branch heads for the centroid of the targets it serves, goes part of the way, and splits them in two across
    their longest direction (Tawhai, Pullan, Hunter 2000, "Generation of an anatomically based three-dimensional model
    of the conducting airways"). Radii follow r_parent^e = sum r_child^e (Murray 1926: e = 3).

    Args:
        root: (3,) mm (x, y, z), where the tree enters.
        targets: (n, 3) mm, what its tips reach for.
        rng: source of the asymmetry.
        tip_radius: mean radius of the last branches, mm.
        exponent: e above; smaller makes a thicker trunk.
        step: share of the way to the centroid that a branch goes.

    Returns:
        The tree; all of its generations are computed level by level.
    """
    group = np.zeros(len(targets), dtype=int)  # which active branch serves each target; -1 when reached
    position, parent = root[None].astype(float), np.array([-1])
    heading = np.zeros((1, 3))
    starts, stops, parents = [], [], []
    total = 0
    for level in range(48):
        served = group >= 0
        if not served.any():
            break
        count = len(position)
        number = np.bincount(group[served], minlength=count)
        centre = _group_mean(targets[served], group[served], number)
        reach = step if level else 0.2
        way = centre - position
        length = np.linalg.norm(way, axis=1) + 1e-9
        direction = way / length[:, None]
        turned = direction + 0.45 * heading + 0.12 * rng.standard_normal((count, 3))
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        share = np.where(number == 1, 0.85, reach * rng.uniform(0.75, 1.25, count))
        stop = position + (length * share)[:, None] * turned
        starts.append(position)
        stops.append(stop)
        parents.append(parent)
        own = group[served]
        place = _place_across(targets[served] - centre[own], own, turned)
        width = np.sqrt(np.bincount(own, place * place, count) / np.maximum(number, 1))
        cut = width * rng.uniform(-0.5, 0.5, count)
        child = 2 * own + (place > cut[own])
        child[number[own] == 1] = -1
        used, compact = np.unique(child[child >= 0], return_inverse=True)
        child[child >= 0] = compact
        group[served] = child
        parent, position, heading = total + used // 2, stop[used // 2], turned[used // 2]
        total += count
    parent = np.concatenate(parents)
    radius = _radii(parent, rng, tip_radius, exponent)
    return Tree(np.concatenate(starts), np.concatenate(stops), parent, radius)


def _group_mean(values: np.ndarray, group: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Mean of the rows of each group, (groups, 3)."""
    sums = np.stack([np.bincount(group, values[:, axis], len(number)) for axis in range(3)], axis=1)
    return sums / np.maximum(number, 1)[:, None]


def _place_across(offset: np.ndarray, group: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Where each target lies along its group's longest direction, square to the group's `direction`, mm."""
    offset = offset - direction[group] * np.sum(offset * direction[group], axis=1, keepdims=True)
    count = len(direction)
    spread = [[np.bincount(group, offset[:, i] * offset[:, j], count) for j in range(3)] for i in range(3)]
    longest = np.linalg.eigh(np.moveaxis(np.array(spread), 2, 0))[1][:, :, -1]
    return np.sum(offset * longest[group], axis=1)


def _radii(parent: np.ndarray, rng: np.random.Generator, tip: float, exponent: float) -> np.ndarray:
    """Radii from the tips back to the root by r^e = sum of the children's r^e."""
    is_tip = np.ones(len(parent), dtype=bool)
    is_tip[parent[parent >= 0]] = False
    power = np.where(is_tip, (tip * rng.uniform(0.7, 1.3, len(parent))) ** exponent, 0.0)
    for index in range(len(parent) - 1, 0, -1):  # children come after their parents
        if parent[index] >= 0:
            power[parent[index]] += power[index]
    return power ** (1.0 / exponent)
