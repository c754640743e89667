"""Comparability of volumes, and what the panel says of those that cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
import slicer


def said(ui, *volumes):
    for selector, volume in zip((ui.firstSelector, ui.secondSelector, ui.thirdSelector), volumes, strict=False):
        selector.setCurrentNode(volume)
    assert ui.compareButton.enabled == (not ui.messageLabel.text)
    assert ui.messageLabel.visible == bool(ui.messageLabel.text)
    return ui.messageLabel.text


def test_volumes_of_one_scan_can_be_compared(section, ui, ct):
    assert said(ui, ct("cubic"), ct("sr", seed=1)) == ""


def test_two_are_needed(section, ui, ct):
    assert said(ui, ct("cubic"), None) == "Choose two volumes to compare."


def test_a_volume_is_not_compared_with_itself(section, ui, ct):
    volume = ct("cubic")
    assert said(ui, volume, volume) == "cubic is chosen twice; choose different volumes."


def test_volumes_in_different_places_are_refused(section, ui, ct, screen):
    near, far = ct("chest"), ct("head", matrix=screen.straight(origin=(12.0, 9.0, 500.0)))
    assert said(ui, near, far) == (
        "chest and head lie in different places, so that there is nothing to compare; choose volumes of the same "
        "scan, or register them first."
    )


def test_a_transform_that_brings_them_together_is_respected(section, ui, ct, screen):
    near, far = ct("chest"), ct("registered", matrix=screen.straight(origin=(12.0, 9.0, 500.0)))
    shift = np.eye(4)
    shift[2, 3] = -531.0
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(transform, shift)
    far.SetAndObserveTransformNodeID(transform.GetID())
    assert said(ui, near, far) == ""


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("vtkMRMLLabelMapVolumeNode", "is a label map, which has no intensities to compare; choose a CT volume."),
        ("vtkMRMLModelNode", "is not a volume; choose a CT volume."),
        ("vtkMRMLScalarVolumeNode", "holds no image; load it again or choose another volume."),
    ],
)
def test_what_is_not_a_ct_volume_is_refused_when_given_by_another_part(section, ct, kind, sentence):
    from CTSuperResolutionPanel.compare.comparability import find_problem

    node = slicer.mrmlScene.AddNewNodeByClass(kind, "this")
    assert find_problem([ct("cubic"), node]) == f"this {sentence}"


def test_colour_images_are_refused(section, ct):
    from CTSuperResolutionPanel.compare.comparability import find_problem

    color = slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6, 3), np.uint8), name="photo", nodeClassName="vtkMRMLVectorVolumeNode"
    )
    assert find_problem([ct("cubic"), color]).startswith("photo has several values in every voxel")


def test_volumes_that_cannot_be_compared_are_not_shown_but_explained(section, ui, ct, screen):
    layout = screen.layout()
    section.show(ct("chest"), ct("head", matrix=screen.straight(origin=(12.0, 9.0, 500.0))))
    assert screen.layout() == layout
    assert not ui.compareButton.checked
    assert "different places" in ui.messageLabel.text


def test_what_is_chosen_is_kept_in_the_panels_state_and_read_from_it(section, ui, state, ct):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.swipeButton.click()
    ui.allPlanesButton.click()
    assert (state.compareFirst, state.compareSecond, state.compareThird) == (cubic, sr, None)
    assert (state.compareKind, state.comparePlane) == ("swipe", "all")
    state.compareFirst, state.compareSecond, state.compareKind, state.comparePlane = sr, cubic, "flicker", "Sagittal"
    section.set_state(state)
    assert ui.firstSelector.currentNode() is sr and ui.secondSelector.currentNode() is cubic
    assert ui.flickerButton.checked and ui.sagittalButton.checked and not ui.allPlanesButton.checked


def test_swapping_exchanges_left_and_right(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.swapButton.click()
    assert screen.shows("CTSRAxial1", sr) and screen.shows("CTSRAxial2", cubic)
    assert ui.firstSelector.currentNode() is sr


def test_choosing_another_volume_meanwhile_shows_it(section, ui, ct, screen):
    cubic, sr, scan = ct("cubic"), ct("sr", seed=1), ct("scan", seed=2)
    section.show(cubic, sr)
    ui.firstSelector.setCurrentNode(scan)
    assert screen.shows("CTSRAxial1", scan) and screen.shows("CTSRAxial2", sr)


def test_names_of_the_volumes_are_written_into_the_views(section, ui, ct, screen):
    def texts(view):
        widget = slicer.app.layoutManager().sliceWidget(view).sliceView()
        props = widget.renderWindow().GetRenderers().GetFirstRenderer().GetViewProps()
        actors = [props.GetItemAsObject(index) for index in range(props.GetNumberOfItems())]
        return [actor.GetInput() for actor in actors if actor.IsA("vtkTextActor") and actor.GetVisibility()]

    section.show(ct("CT cubic 4x"), ct("CT SR 4x", seed=1))
    assert (texts("CTSRAxial1"), texts("CTSRAxial2")) == (["CT cubic 4x"], ["CT SR 4x"])
    ui.exchangeButton.click()
    assert (texts("CTSRAxial1"), texts("CTSRAxial2")) == (["CT SR 4x"], ["CT cubic 4x"])
    ui.exchangeButton.click()
    ui.swipeButton.click()
    assert texts("CTSRAxial1") == ["CT cubic 4x", "CT SR 4x"]
    section.exit()
    assert texts("CTSRAxial1") == []


def shortcuts():
    return [child for child in slicer.util.mainWindow().children() if child.inherits("QShortcut")]


def test_the_key_works_only_while_a_comparison_is_on_and_the_module_open(section, ct, screen):
    before = len(shortcuts())
    enabled = sum(each.enabled for each in shortcuts())
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    (key,) = shortcuts()[before:]
    assert key.enabled and key.key.toString() == "X"
    key.activated()
    assert screen.shows("CTSRAxial1", sr)
    section.exit()
    assert not key.enabled
    section.enter()
    assert sum(each.enabled for each in shortcuts()) == enabled + 1
