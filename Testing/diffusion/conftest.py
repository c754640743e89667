"""Small guided-diffusion checkpoints, drawn without that library, and a cache to import them to."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.job.priors import cache_folder


class GuidedDiffusionCase:
    """A network of the fixture file: names and shapes of its weights, and what the original code answered."""

    def __init__(self, seed: int, shapes: dict[str, list[int]], **answer: list[float]) -> None:
        self.seed, self.shapes, self.answer = seed, shapes, answer

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Random weights; none is zero, not even where training starts with zeros."""
        rng = np.random.default_rng(self.seed)
        found = {}
        for name, shape in self.shapes.items():
            values = rng.standard_normal(shape)
            if len(shape) == 1:
                values = 0.2 * values + name.endswith("weight")  # of a norm, or a bias
            else:
                values /= math.sqrt(math.prod(shape[1:]))
            found[name] = torch.from_numpy(values.astype(np.float32))
        return found

    def images(self) -> torch.Tensor:
        """What was asked, (2, 3, 16, 16); at the steps 3 and 750."""
        rng = np.random.default_rng(100 + self.seed)
        return torch.from_numpy(rng.standard_normal((2, 3, 16, 16)).astype(np.float32))


@pytest.fixture(scope="session")
def guided_diffusion() -> dict[str, GuidedDiffusionCase]:
    file = Path(__file__).parent / "fixtures" / "guided_diffusion.json"
    return {name: GuidedDiffusionCase(**case) for name, case in json.loads(file.read_text()).items()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of priors, by each platform's rule."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return cache_folder()
