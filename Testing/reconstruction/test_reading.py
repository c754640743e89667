"""Stacks of projections and their geometry, read back, from RTK, and with what people get wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from CTSuperResolutionLib.cli.wording import error_sentence
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.reconstruction.attenuation import relative_to_water
from CTSuperResolutionLib.reconstruction.reading import read_projections


@pytest.mark.parametrize("beam", ["cone", "parallel"])
def test_a_written_stack_reads_back_with_its_rays_and_its_grid(beam, scans, scan_folder):
    found, scan = read_projections(scan_folder(beam)), scans[beam]
    assert np.array_equal(found.integrals, scan.integrals)
    assert found.geometry.detector_spacing == scan.geometry.detector_spacing
    assert found.geometry.angles == pytest.approx(scan.geometry.angles)
    assert (found.geometry.source_distance, found.place) == (scan.geometry.source_distance, scan.place)
    assert found.notes == ()


def test_itk_reads_the_written_stack_as_views_of_a_centred_detector(scans, scan_folder):
    image = sitk.ReadImage(str(scan_folder() / "projections.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), scans["cone"].integrals)
    nu, nv, _ = image.GetSize()
    u, v, _ = image.TransformContinuousIndexToPhysicalPoint([(nu - 1) / 2, (nv - 1) / 2, 0])
    assert (u, v) == pytest.approx((0, 0), abs=1e-9)


def test_intensities_are_taken_relative_to_i0(scans, scan_folder):
    folder = scan_folder(values="intensities", i0=5000.0)
    counts = 5000 * np.exp(-scans["cone"].integrals)
    np.save(folder / "stack.npy", counts.astype(np.uint16))
    found = read_projections(folder / "stack.npy")
    assert found.integrals == pytest.approx(scans["cone"].integrals, abs=2e-3)


@pytest.mark.parametrize("shift", [1.0, -2.5, 0.3])
def test_a_detector_beside_the_central_ray_is_brought_to_its_middle(shift, scans, scan_folder):
    """The stack of a shifted detector is a part of a wider centred one, by ITK's interpolation."""
    scan = scans["parallel"]
    du = scan.geometry.detector_spacing[1]
    folder = scan_folder("parallel", detector_offset_mm=[0.0, shift * du])
    wide = sitk.GetImageFromArray(scan.integrals)
    moved = sitk.Resample(wide, wide, sitk.TranslationTransform(3, (shift, 0.0, 0.0)), sitk.sitkLinear, 0.0)
    sitk.WriteImage(moved, str(folder / "projections.nrrd"))
    found = read_projections(folder)
    columns = found.integrals.shape[2]
    halves = round(2 * shift)
    assert columns == scan.integrals.shape[2] - abs(halves)
    # Where its pixels lie in the wide detector; half a pixel on where an odd number was cut.
    first = (scan.integrals.shape[2] - columns) / 2
    places = first + np.arange(columns)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, scan.integrals.shape[2] - 1)
    share = places - low
    expected = (1 - share) * scan.integrals[..., low] + share * scan.integrals[..., high]
    inner = slice(3, -3)
    assert np.abs(found.integrals - expected)[..., inner].max() < 0.03 * scan.integrals.max()
    assert np.abs(found.integrals[..., ::-1] - expected)[..., inner].max() > 0.2 * scan.integrals.max()
    assert any("moved" in note or "left out" in note for note in found.notes)


def test_without_a_stated_volume_the_grid_is_what_every_view_sees(scan_folder, scans):
    place = read_projections(scan_folder(volume=None)).place
    _, ny, nx = place.grid.shape
    _, sy, sx = place.grid.spacing
    source, detector = scans["cone"].geometry.cone_distances
    half = scans["cone"].integrals.shape[2] * scans["cone"].geometry.detector_spacing[1] / 2
    assert math.hypot(ny * sy, nx * sx) / 2 == pytest.approx(source * math.sin(math.atan(half / detector)), rel=0.03)
    assert place.origin == pytest.approx([-(n - 1) / 2 * s for n, s in reversed(place.grid.axes)])
    asked = read_projections(scan_folder(volume=None), spacing=(4.0, 2.0, 1.0)).place.grid
    assert asked.spacing == (4.0, 2.0, 1.0) and asked.shape[2] == pytest.approx(nx * sx, abs=1)


BAD = [
    ({"angles_deg": None}, "no angles"),
    ({"angles_deg": [0.0, 10.0]}, "24 views and its geometry 2 angles"),
    ({"angles_deg": [k * 2 * math.pi / 24 for k in range(24)]}, "look like radians"),
    ({"angles_deg": [5.0] * 24}, "all the same"),
    ({"angles_deg": [float(k) for k in range(23)] + [float("inf")]}, "not a list of numbers"),
    ({"beam": "fan"}, "'cone' or 'parallel'"),
    ({"source_to_axis_mm": None}, "no number 'source_to_axis_mm'"),
    ({"source_to_axis_mm": 10.0}, "too near the X-ray source"),
    ({"source_to_detector_mm": -1500.0}, "above 0"),
    ({"detector_spacing_mm": [1.0]}, "2 numbers"),
    ({"detector_shape": [5, 5]}, "states 5 x 5"),
    ({"detector_offset_mm": [0.0, 80.0]}, "half-fan"),
    ({"values": "intensities"}, "no number 'i0'"),
    ({"values": "intensities", "i0": 1e-4}, "far above i0"),
    ({"values": "counts"}, "'line integrals' or 'intensities'"),
    ({"volume": {"shape": [10, 10]}}, "3 numbers"),
    ({"version": 7}, "later version"),
    ({"angels": []}, "'angels' that is not known"),
]


@pytest.mark.parametrize(("changed", "said"), BAD)
def test_a_geometry_that_is_wrong_is_said_in_one_sentence(changed, said, scan_folder):
    assert said in refusal(scan_folder(**changed))


def refusal(place) -> str:
    with pytest.raises(JobError) as refused:
        read_projections(place)
    text = error_sentence(refused.value)
    assert text.endswith(".") and ". " not in text.replace(str(place), "")
    return text


def _values(folder, array, name="projections.nrrd"):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / name))


def test_a_stack_that_is_wrong_is_said_in_one_sentence(scan_folder, scans):
    folder, good = scan_folder(), scans["cone"].integrals
    stack = folder / "projections.nrrd"
    for array, said in (
        (-good, "negative"),
        (3e4 * np.exp(-good), "intensities"),
        (np.where(good > 1, np.nan, good).astype(np.float32), "not numbers"),
        (good[0], "no stack"),
    ):
        _values(folder, array)
        assert said in refusal(folder)
    _values(folder, good)
    stack.write_bytes(stack.read_bytes()[:-400])
    assert "truncated" in refusal(folder)
    stack.unlink()
    assert "no stack" in refusal(folder)
    (folder / "stack.txt").write_text("1 2 3")
    assert "give a NRRD, MHA or NPY file" in refusal(folder / "stack.txt")
    np.save(folder / "alone.npy", good)
    (folder / "geometry.json").unlink()
    assert "with --geometry" in refusal(folder / "alone.npy")
    (folder / "geometry.json").write_text("{")
    assert "not JSON" in refusal(folder / "alone.npy")


def test_an_object_or_a_volume_beyond_what_the_detector_sees_is_told_of(scan_folder, scans):
    folder, good = scan_folder(detector_shape=None, volume=None), scans["cone"].integrals
    width = good.shape[2]
    _values(folder, good[..., width // 3 : 2 * width // 3])
    assert "reaches beyond the detector" in read_projections(folder).notes[0]
    found = read_projections(scan_folder(volume={"shape": [24, 60, 60], "spacing_mm": [2.0, 2.0, 2.0]}))
    assert "corners beyond" in found.notes[0]


@pytest.mark.slow  # for loading itk
@pytest.mark.parametrize(
    ("beam", "offset", "tilt"),
    [
        ("cone", (0.0, 0.0), ()),
        ("cone", (4.0, -6.0), ()),
        ("parallel", (0.0, 2.0), ()),
        ("parallel", (0.0, 2.0), (0.0, 4.0)),
        ("cone", (0.0, -6.0), (0.0, 5.0)),
        ("cone", (0.0, -6.0), (-0.5, 0.0)),
        ("cone", (0.0, -6.0), (0.4, -3.0, 8.0, 3.0)),  # out of and in the plane, degrees; the source along u and v, mm
    ],
)
def test_a_stack_that_rtk_projected_reads_right(beam, offset, tilt, head, scans, tmp_path):
    """RTK projects the head in its own space and writes the XML; what is read are our projections of the same head."""
    itk = pytest.importorskip("itk")
    if not hasattr(itk, "RTK"):
        pytest.skip("itk is installed without itk-rtk, of the test extra")
    from itk import RTK as rtk

    rays = scans[beam].geometry
    circle = rtk.ThreeDCircularProjectionGeometry.New()
    sdd = rays.detector_distance or 0.0
    for angle in rays.angles:
        circle.AddProjection(rays.source_distance or 1000.0, sdd, math.degrees(angle), offset[1], offset[0], *tilt)
    writer = rtk.ThreeDCircularProjectionGeometryXMLFileWriter.New()
    writer.SetFilename(str(tmp_path / "geometry.xml"))
    writer.SetObject(circle)
    writer.WriteFile()
    kind = itk.Image[itk.F, 3]

    def image(array, spacing):
        made = itk.image_from_array(np.ascontiguousarray(array, dtype=np.float32))
        made.SetSpacing([float(s) for s in spacing[::-1]])
        made.SetOrigin([-(n - 1) / 2 * s for n, s in zip(array.shape[::-1], spacing[::-1], strict=True)])
        return made

    (dv, du), (sz, sy, sx) = rays.detector_spacing, head.spacing
    stack = image(np.zeros((rays.views, *rays.detector_shape)), (1.0, dv, du))
    # The panel is moved by the offset, and its own origin takes that back in part: the middle stays near.
    stack.SetOrigin([stack.GetOrigin()[0] - offset[1] + du, stack.GetOrigin()[1] - offset[0], 0.0])
    projector = rtk.JosephForwardProjectionImageFilter[kind, kind].New()
    projector.SetInput(0, stack)
    relative = relative_to_water(head.array)
    out_of_plane, in_plane, source_u, source_v = np.radians([*tilt, 0, 0, 0, 0][:2]).tolist() + [*tilt, 0, 0, 0, 0][2:4]
    height = 0.0  # of the source's path along the axis, about which the volume is made
    if beam == "cone":
        in_v = math.sin(in_plane) * source_u + math.cos(in_plane) * source_v
        height = math.cos(out_of_plane) * in_v - math.sin(out_of_plane) * rays.source_distance
    scanned = image(0.02 * relative.transpose(1, 0, 2)[::-1], (sy, sz, sx))
    scanned.SetOrigin([o + by for o, by in zip(scanned.GetOrigin(), (0.0, height, 0.0), strict=True)])
    projector.SetInput(1, scanned)
    projector.SetGeometry(circle)
    projector.Update()
    itk.imwrite(projector.GetOutput(), str(tmp_path / "stack.mha"))

    found = read_projections(tmp_path / "stack.mha", shape=head.shape, spacing=head.spacing)
    if not tilt:
        assert found.geometry.detector_shape == (rays.detector_shape[0], rays.detector_shape[1] - 2)
    assert any("tilted" in note for note in found.notes) == bool(tilt)
    assert any("0.02 per mm" in note for note in found.notes)
    expected = found.projector.forward(torch.from_numpy(relative)).numpy() * found.water_per_mm
    error = np.sqrt(np.mean((found.integrals - expected) ** 2) / np.mean(expected**2))
    assert error < (0.02 if tilt else 0.01)  # of pixels of 3 mm interpolated at the sharp rims of ellipsoids
    assert np.sqrt(np.mean((found.integrals[..., ::-1] - expected) ** 2) / np.mean(expected**2)) > 0.05
    # The volume that comes of it lies in RTK's space, whose y is the axis.
    corner = found.volume(torch.zeros(head.shape)).point((head.shape[0] - 1, 0, 0))
    top, near = (head.shape[0] - 1) / 2 * sz, (head.shape[1] - 1) / 2 * sy
    assert corner == pytest.approx((-(head.shape[2] - 1) / 2 * sx, top + height, near))


def test_rtk_geometry_that_is_not_a_plain_circle_is_refused(scan_folder):
    folder = scan_folder()
    (folder / "geometry.json").unlink()

    def of(more: str, angle: str = "<GantryAngle>10</GantryAngle>") -> str:
        head = "<SourceToIsocenterDistance>1000</SourceToIsocenterDistance>"
        head += "<SourceToDetectorDistance>1500</SourceToDetectorDistance>"
        views = f"<Projection>{angle}{more}</Projection>" * 24
        (folder / "geometry.xml").write_text(f"<RTKThreeDCircularGeometry>{head}{views}</RTKThreeDCircularGeometry>")
        return refusal(folder)

    assert "tilted by 80 degrees in its plane" in of("<InPlaneAngle>80</InPlaneAngle>")
    assert "60 out of it" in of("<OutOfPlaneAngle>60</OutOfPlaneAngle>")
    assert "half-fan" in of("<SourceOffsetX>3000</SourceOffsetX>")
    assert "curved" in of("<RadiusCylindricalDetector>900</RadiusCylindricalDetector>")
    assert "GantryAngle" in of("", angle="")
    (folder / "geometry.xml").write_text("<a>")
    assert "not an XML file" in refusal(folder)


def test_json_of_a_geometry_has_no_more_than_is_documented(scan_folder):
    entries = json.loads((scan_folder() / "geometry.json").read_text())
    assert (
        entries["beam"] == "cone" and entries["values"] == "line integrals" and entries["detector_offset_mm"] == [0, 0]
    )
