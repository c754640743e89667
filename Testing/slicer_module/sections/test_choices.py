"""Choices in the panel: what it says of a scan and of them, and when Apply can be pressed."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
import vtk

from CTSuperResolutionLib.job.parameters import PARAMETERS, PRESET_NAMES

pytestmark = pytest.mark.usefixtures("machine")


def test_without_a_volume_apply_says_what_is_missing(shown):
    text, enabled = shown()
    assert "Choose a volume." in text and not enabled


def test_the_first_scan_in_the_scene_is_chosen(panel, make_scan, slicer, application):
    scan = make_scan()
    application.unload()
    again = application.load()
    assert again.ui.inputSelector.currentNode() is scan and again.logic.getParameterNode().inputVolume is scan


@pytest.mark.parametrize(("shape", "words"), [((1, 40, 40), "single slice"), ((5, 40, 40), "40 × 40 × 5 voxels")])
def test_too_few_slices_are_said_at_once(panel, make_scan, shown, state, shape, words):
    state.inputVolume = make_scan(shape=shape)
    _text, enabled = shown()
    assert not enabled and panel.ui.problemLabel.visible and words in panel.ui.problemLabel.text
    assert not panel.ui.allowUnusualCheckBox.visible


@pytest.mark.parametrize("values", ["mr", "normalised", "empty"])
def test_what_does_not_look_like_ct_is_the_users_to_judge(panel, slicer, shown, state, values):
    rng = np.random.default_rng(0)
    array = {"mr": rng.integers(0, 900, (9, 9, 9)), "normalised": rng.random((9, 9, 9)), "empty": np.zeros((9, 9, 9))}
    state.inputVolume = slicer.util.addVolumeFromArray(array[values].astype(np.float32))
    _text, enabled = shown()
    assert not enabled and "does not look like CT" in panel.ui.problemLabel.text
    assert panel.ui.allowUnusualCheckBox.visible
    panel.ui.allowUnusualCheckBox.click()
    assert shown()[1] and panel.ui.allowUnusualCheckBox.visible
    assert "does not look like CT" in panel.ui.problemLabel.text and panel.ui.problemLabel.visible


def test_insisting_on_one_volume_does_not_count_for_the_next(panel, slicer, shown, state):
    rng = np.random.default_rng(0)
    first, second = (slicer.util.addVolumeFromArray(rng.integers(0, 900, (9, 9, 9), np.int16)) for _ in range(2))
    state.inputVolume = first
    shown()
    panel.ui.allowUnusualCheckBox.click()
    assert shown()[1]
    state.inputVolume = second
    _text, enabled = shown()
    assert not enabled and panel.ui.problemLabel.visible and not panel.ui.allowUnusualCheckBox.checked
    state.inputVolume = first
    assert shown()[1] and panel.ui.allowUnusualCheckBox.checked
    panel.ui.allowUnusualCheckBox.click()
    assert not shown()[1]


def test_insisting_does_not_hide_what_else_is_missing(panel, slicer, shown, state):
    array = np.random.default_rng(0).integers(0, 900, (9, 9, 9), np.int16)
    state.inputVolume = slicer.util.addVolumeFromArray(array)
    state.useRoi = True
    shown()
    panel.ui.allowUnusualCheckBox.click()
    state.roi.SetCenter([900.0, 0.0, 0.0])
    assert "outside the scan" in shown()[0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_scan_with_nan_is_said_before_it_is_run(panel, make_scan, slicer, shown, state, kind):
    state.inputVolume = scan = make_scan(dtype=kind)
    assert shown()[1]
    voxels = slicer.util.arrayFromVolume(scan)
    voxels[5, 6, 7] = np.nan
    slicer.util.arrayFromVolumeModified(scan)
    _text, enabled = shown()
    assert not enabled and "NaN" in panel.ui.problemLabel.text and not panel.ui.allowUnusualCheckBox.visible
    voxels[5, 6, 7] = -1024
    slicer.util.arrayFromVolumeModified(scan)
    assert shown()[1]


def test_a_result_taken_for_a_scan_is_pointed_out(panel, scan, finish, shown, state):
    panel.ui.applyButton.click()
    finish()
    state.inputVolume = state.srVolume
    _text, enabled = shown()
    assert not enabled and "is a result of this module" in panel.ui.problemLabel.text
    panel.ui.allowUnusualCheckBox.click()
    assert shown()[1]


def test_a_label_map_in_the_scene_is_not_taken_for_the_scan(panel, make_scan, slicer, application):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    scan = make_scan()
    application.unload()
    assert application.load().logic.getParameterNode().inputVolume is scan


def test_a_series_that_is_mr_is_said(panel, scan, slicer, shown):
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(scan), "DICOM.Modality", "MR")
    shown()
    assert "MR" in panel.ui.problemLabel.text


def test_a_non_linear_transform_is_said_and_a_linear_one_is_not(panel, scan, slicer, shown, make_bent_transform):
    linear = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    scan.SetAndObserveTransformNodeID(linear.GetID())
    assert shown()[1]
    linear.SetAndObserveTransformNodeID(make_bent_transform().GetID())
    _text, enabled = shown()
    assert not enabled and "non-linear transform" in panel.ui.problemLabel.text


def test_a_gantry_tilt_is_said(panel, scan, shown):
    matrix = vtk.vtkMatrix4x4()
    scan.GetIJKToRASDirectionMatrix(matrix)
    matrix.SetElement(1, 2, 0.2)
    scan.SetIJKToRASDirectionMatrix(matrix)
    _text, enabled = shown()
    assert not enabled and "tilted by 11.3 degrees" in panel.ui.problemLabel.text


def test_the_panel_follows_what_happens_to_the_scan(panel, scan, slicer, wait_until):
    """Nobody presses anything: the scan gets other voxels, and the line says so."""
    text = panel.ui.estimateLabel
    wait_until(lambda: text.text.startswith("28"))
    slicer.util.updateVolumeFromArray(scan, np.random.default_rng(0).integers(-900, 900, (16, 16, 16), dtype=np.int16))
    wait_until(lambda: text.text.startswith("32"))
    slicer.util.updateVolumeFromArray(scan, np.zeros((16, 16, 16), dtype=np.int16))
    wait_until(lambda: "does not look like CT" in panel.ui.problemLabel.text)
    assert "see above" in text.text


def test_each_axis_can_have_its_own_factor(panel, scan, shown, state):
    ui = panel.ui
    assert not ui.axesWidget.visible
    choose(ui.scaleComboBox, "axes")
    assert ui.axesWidget.visible is False or shown()
    shown()
    assert ui.axesWidget.visible
    ui.factorXSpinBox.value, ui.factorYSpinBox.value, ui.factorZSpinBox.value = 2, 2, 5
    assert shown()[0].startswith("28 × 24 × 50 voxels of 0.5 × 0.5 × 0.2 mm")
    ui.factorYSpinBox.value = 3
    assert shown()[0].startswith("28 × 36 × 50 voxels of 0.5 × 0.333 × 0.2 mm")


def test_a_spacing_refines_the_axes_that_are_coarser(panel, make_scan, shown, state):
    ui = panel.ui
    state.inputVolume = make_scan(matrix=np.diag([0.7, 0.9, 5.0, 1.0]))
    assert not ui.spacingSpinBox.visible
    choose(ui.scaleComboBox, "spacing")
    shown()
    assert ui.spacingSpinBox.visible and not ui.axesWidget.visible
    assert (ui.spacingSpinBox.value, ui.spacingSpinBox.minimum, ui.spacingSpinBox.maximum) == (1.0, 0.01, 100.0)
    assert shown()[0].startswith("14 × 12 × 50 voxels of 0.7 × 0.9 × 1 mm")
    ui.spacingSpinBox.value = 0.78
    assert shown()[0].startswith("14 × 13 × 64 voxels of 0.7 × 0.78 × 0.78 mm")
    assert state.spacing == "0.78"
    ui.spacingSpinBox.value = 0.3
    text, enabled = shown()
    assert not enabled and "16.7 times finer sampling along z" in text
    ui.spacingSpinBox.value = 5
    text, enabled = shown()
    assert not enabled and "0.7 mm already" in text


def test_isotropic_refines_thick_slices_only(panel, make_scan, shown, state):
    state.inputVolume = make_scan(matrix=np.diag([0.7, 0.7, 5.0, 1.0]))
    choose(panel.ui.scaleComboBox, "isotropic")
    assert shown()[0].startswith("14 × 12 × 71 voxels of 0.7 × 0.7 × 0.7 mm")
    state.inputVolume = make_scan(name="Cube")
    text, enabled = shown()
    assert not enabled and "isotropic already" in text


def test_a_region_is_made_fitted_and_dragged(panel, scan, shown, state, slicer):
    ui = panel.ui
    ui.useRoiCheckBox.click()
    shown()
    assert state.roi is not None and ui.roiSelector.currentNode() is state.roi
    assert state.roi.GetDisplayNode().GetVisibility()
    assert shown()[0].startswith("28 × 24 × 20 voxels")
    state.roi.SetSize([10.0, 8.0, 8.0])
    assert shown()[0].startswith("20 × 16 × 16 voxels")
    state.roi.SetCenter([900.0, 0.0, 0.0])
    text, enabled = shown()
    assert not enabled and "outside the scan" in text
    ui.fitRoiButton.click()
    assert shown()[0].startswith("28 × 24 × 20 voxels")
    ui.useRoiCheckBox.click()
    shown()
    assert not state.roi.GetDisplayNode().GetVisibility()
    assert shown()[1]


def test_a_box_of_the_users_own_stays_as_shown_as_it_was(panel, scan, shown, state, slicer):
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    own.CreateDefaultDisplayNodes()
    state.roi = own
    for ticked in (True, False):
        state.useRoi = ticked
        for visible in (True, False):
            own.GetDisplayNode().SetVisibility(visible)
            shown()
            assert bool(own.GetDisplayNode().GetVisibility()) == visible


def test_every_parameter_for_users_is_there_with_its_limits_and_help(panel, state, shown):
    shown()
    for name, parameter in PARAMETERS.items():
        field = panel.ui.advancedCollapsibleButton.findChild("QWidget", f"{name}Field")
        if parameter.audience == "ablation":
            assert field is None
            continue
        assert field is not None and parameter.help in field.toolTip
        default = parameter.defaults[state.preset]
        if parameter.choices:
            assert field.currentText == default and field.count == len(parameter.choices)
        else:
            assert (field.minimum, field.maximum) == (parameter.low, parameter.high)
            assert field.value == pytest.approx(default, rel=1e-9)


def test_a_parameter_without_a_field_counts_for_nothing(panel, scan, state, shown):
    """As a scene of another version may have it."""
    state.settings = json.dumps({"views": 12, "residual": "grid", "carrier": "grid"})
    assert shown()[1]
    assert panel.panel.run._task.method.settings == {"views": 12}


def test_changed_parameters_are_kept_and_can_be_taken_back(panel, scan, state, shown):
    ui = panel.ui
    views = ui.advancedCollapsibleButton.findChild("QSpinBox", "viewsField")
    reset = ui.advancedCollapsibleButton.findChild("QPushButton", "resetParametersButton")
    shown()
    assert not reset.enabled
    views.value = 33
    assert json.loads(state.settings) == {"views": 33} and reset.enabled
    choose(ui.presetComboBox, "preview")
    shown()
    assert views.value == 33  # what the user set stays, whatever the preset
    iterations = ui.advancedCollapsibleButton.findChild("QSpinBox", "iterationsField")
    assert iterations.value == PARAMETERS["iterations"].defaults["preview"]
    reset.click()
    assert state.settings == "{}" and views.value == PARAMETERS["views"].defaults["preview"]


def test_parameters_that_do_not_go_together_are_said(panel, scan, state, shown):
    state.settings = json.dumps({"gaussians": 90_000, "max_gaussians": 1000})
    text, enabled = shown()
    assert not enabled and "raise max_gaussians" in text


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_no_field_changes_a_preset_by_rounding(panel, state, shown, preset):
    state.preset = preset
    shown()
    assert panel.panel.scan.advanced.settings() == {}


def test_a_saved_scene_brings_the_panel_back(panel, scan, state, shown, slicer, tmp_path):
    ui = panel.ui
    choose(ui.scaleComboBox, "axes")
    choose(ui.presetComboBox, "paper")
    choose(ui.deviceComboBox, "cpu")
    state.factorX, state.factorY, state.factorZ = 3, 3, 2
    state.seed = 7
    state.settings = json.dumps({"views": 12})
    ui.useRoiCheckBox.click()
    shown()
    state.roi.SetSize([10.0, 9.0, 8.0])
    before = shown()[0]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert "Choose a volume" in shown()[0]
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    state = panel.logic.getParameterNode()
    assert shown()[0] == before
    assert (state.scale, state.preset, state.device, state.seed) == ("axes", "paper", "cpu", 7)
    assert ui.axesWidget.visible and ui.factorXSpinBox.value == 3 and ui.factorZSpinBox.value == 2
    assert ui.seedSpinBox.value == 7 and ui.useRoiCheckBox.checked
    assert ui.advancedCollapsibleButton.findChild("QSpinBox", "viewsField").value == 12
    assert ui.inputSelector.currentNode().GetName() == "Scan"


def test_a_scene_with_choices_of_its_own_brings_them(panel, scan, state, shown, slicer, make_scan, tmp_path):
    """Loaded beside the present one, it writes over the one node that has them."""
    state.seed, state.factorX = 7, 3
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    state = panel.logic.getParameterNode()
    state.inputVolume, state.seed = make_scan(name="Another"), 1
    shown()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {"clear": False})
    shown()
    state = panel.logic.getParameterNode()
    assert (state.inputVolume.GetName(), state.seed, state.factorX) == ("Scan", 7, 3)
    assert panel.ui.inputSelector.currentNode() is state.inputVolume
    assert (panel.ui.seedSpinBox.value, panel.ui.factorXSpinBox.value) == (7, 3)


def test_more_that_is_loaded_changes_no_choice(panel, scan, state, shown, import_more):
    """Although the selectors lose their nodes meanwhile."""
    panel.ui.useRoiCheckBox.click()
    before, box = shown(), state.roi
    import_more()
    assert shown() == before and before[1]
    assert (state.inputVolume, state.roi, state.useRoi) == (scan, box, True)
    assert panel.ui.inputSelector.currentNode() is scan and panel.ui.roiSelector.currentNode() is box
    panel.ui.seedSpinBox.value = 5
    assert panel.logic.getParameterNode().seed == 5


def test_there_is_one_state_for_each_import_and_the_old_ones_are_let_go(panel, scan, shown, slicer, import_more):
    """Their connections would act, and be kept, as long as the node."""
    shown()
    old = []
    for _each in range(3):
        old.append(weakref.ref(panel.panel._state))
        import_more()
    old.append(weakref.ref(panel.panel._state))
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    gc.collect()
    assert [state() for state in old] == [None] * 4


def test_a_changed_widget_writes_once_whatever_was_loaded_before(panel, scan, state, shown, slicer, import_more):
    for _each in range(3):
        import_more()
    written = []
    node = panel.logic.getParameterNode().parameterNode
    tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: written.append(panel.ui.seedSpinBox.value))
    panel.ui.seedSpinBox.value = 3
    node.RemoveObserver(tag)
    assert written == [3]


def choose(combo, value):
    """As a user does: only then comes the signal "activated"."""
    index = combo.findData(value)
    assert index >= 0
    combo.setCurrentIndex(index)
    combo.activated(index)


def test_another_python_is_asked_what_it_can_use(panel, scan, shown, monkeypatch, tmp_path):
    from CTSuperResolutionPanel import install

    asked = []
    monkeypatch.setattr(panel.logic.hardware, "inspect", lambda python, again=False: asked.append((python, again)))
    shown()
    monkeypatch.setattr(install, "change", lambda parent=None: None)
    panel.ui.pythonButton.click()
    assert asked == []
    monkeypatch.setattr(install, "change", lambda parent=None: tmp_path / "python")
    monkeypatch.setattr(install, "chosen_python", lambda: tmp_path / "python")
    panel.ui.pythonButton.click()
    assert asked == [(tmp_path / "python", True)]
    assert panel.ui.pythonButton.text.endswith(str(tmp_path / "python")[-20:])
