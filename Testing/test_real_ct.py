"""On real CT, made and scored by the evaluation protocol that lies beside the development data, not by our own code."""

import importlib.util

import numpy as np
import pytest

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.volume.reading import read_volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def protocol(shared_data):
    path = shared_data.parent / "tools" / "protocol.py"
    if not path.is_file():
        pytest.skip(f"the evaluation protocol is not at {path}")
    spec = importlib.util.spec_from_file_location("protocol", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scale", "crop", "least"),
    [
        # The whole first case of the README: no worse than cubic followed by one exact correction (32.60 / 0.882).
        ("chest_lidc0314", (4, 4, 4), (128, 192, 192), (32.60, 0.882)),
        ("thoraxphantom_fda", (4, 4, 4), (64, 96, 96), None),
        ("chest_slab_riderpilot0117", (4, 1, 1), (64, 96, 96), None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_preview_beats_cubic(protocol, shared_data, tmp_path, name, scale, crop, least):
    reference, spacing = protocol.reference(shared_data / "ct" / f"{name}.nrrd", 1.0, crop)
    scale = np.array(scale)
    scan = protocol.degrade(reference, scale, 1.0)
    protocol.write(scan, spacing * scale, spacing * (scale - 1) / 2, tmp_path / "lr.nrrd")

    told = {"psf": "lanczos"}  # the protocol's own degradation
    method = Method(scale=",".join(map(str, scale)), preset="preview", settings=told, device="cpu")
    result = super_resolve(read_volume(tmp_path / "lr.nrrd"), method)

    assert result.sr.shape == reference.shape and result.sr.direction == IDENTITY
    np.testing.assert_allclose(result.sr.spacing, spacing, atol=1e-9)
    np.testing.assert_allclose(result.sr.origin, 0, atol=1e-6)
    ours, cubic = protocol.score(result.sr.array, reference), protocol.score(result.cubic.array, reference)
    assert ours[0] > cubic[0] + 0.3 and ours[1] > cubic[1]
    if least:
        assert ours[0] >= least[0] and ours[1] >= least[1]
