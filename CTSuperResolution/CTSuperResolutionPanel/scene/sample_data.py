"""Sample data to try the module with, offered in Slicer's Sample Data module."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.scene import voxel_geometry

CATEGORY = "CTSuperResolution"
PHANTOM = "ThoraxPhantom"

SLICER_DATA = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
SLICER_SCANS = (
    ("CTChest", "CT-chest.nrrd", "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"),
    ("CTLiver", "CTLiver.nrrd", "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e"),
)
"""Slicer's own samples: name, file and SHA-256."""

FINER, BLUR = 2, 0.5
"""The phantom is made so much finer, blurred by a Gaussian of so many of its voxels, and sampled: as by a scanner."""


def register() -> None:
    """Offer the library's phantom, which is made on first use, and Slicer's CT samples."""
    import SampleData

    add = SampleData.SampleDataLogic.registerCustomSampleDataSource
    add(
        category=CATEGORY,
        sampleName=PHANTOM,
        customDownloader=lambda source: load_phantom(),
    )
    for name, file_name, checksum in SLICER_SCANS:
        add(
            category=CATEGORY,
            sampleName=name,
            uris=SLICER_DATA + checksum,
            fileNames=file_name,
            nodeNames=name,
            checksums=f"SHA256:{checksum}",
        )


def load_phantom(shape: tuple[int, int, int] = (32, 48, 48), spacing: float = 4.0) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a coarse scan of the library's thorax phantom into the scene.

    Args:
        shape: voxels (z, y, x).
        spacing: mm.
    """
    from CTSuperResolutionLib.degradation.kernels import lanczos_matrix
    from CTSuperResolutionLib.phantom import thorax

    body = thorax(shape=voxel_geometry.triple(FINER * n for n in shape), spacing=spacing / FINER)
    array = body.array
    for axis, n in enumerate(body.shape):
        scanner = lanczos_matrix(n, FINER, BLUR)
        array = np.moveaxis(np.tensordot(scanner, array, axes=(1, axis)), 0, axis)
    node = slicer.util.addVolumeFromArray(
        np.rint(array).astype(np.int16), name=_("Thorax phantom"), nodeClassName="vtkMRMLScalarVolumeNode"
    )
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(body.direction, (3, 3)) * spacing
    matrix[:3, 3] = body.point([(FINER - 1) / 2] * 3)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(voxel_geometry.LPS @ matrix))
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(1500, -300)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node
