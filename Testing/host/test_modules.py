"""Scripted modules: loaded from their file, shown, left, unloaded."""

from __future__ import annotations

import pytest
from slicer_host.errors import NotBuiltInHost

SOURCE = """
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

told = []

class Example(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("An example")
        parent.categories = ["Examples"]
        slicer.app.connect("startupCompleted()", lambda: told.append("started"))

class ExampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        import qt
        self.logic = ExampleLogic()
        self.layout.addWidget(qt.QLabel("Hello"))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, lambda *_: told.append("closed"))
        told.append("setup")
    def enter(self): told.append("enter")
    def exit(self): told.append("exit")
    def cleanup(self):
        self.removeObservers()
        told.append("cleanup")

class ExampleLogic(ScriptedLoadableModuleLogic):
    pass

class ExampleTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.delayDisplay("testing")
        told.append("test")
"""


@pytest.fixture
def example(tmp_path, application, slicer):
    path = tmp_path / "Example.py"
    path.write_text(SOURCE)
    widget = application.load(path)
    yield widget
    if slicer.app.moduleManager().module("Example") is not None:
        application.unload("Example")


def told():
    import Example

    return Example.told


def test_a_module_is_set_up_once_and_entered_each_time(example, slicer):
    assert told() == ["setup", "enter"]
    slicer.util.selectModule("Data")
    slicer.util.selectModule("Example")
    assert told() == ["setup", "enter", "exit", "enter"]
    assert slicer.util.selectedModule() == "Example"


def test_unloading_cleans_up(example, application, slicer):
    application.unload("Example")
    assert told()[-2:] == ["exit", "cleanup"]
    assert not hasattr(slicer.modules, "example")
    slicer.mrmlScene.Clear(0)
    assert "closed" not in told()


def test_it_is_found_by_name(example, slicer):
    module = slicer.modules.example
    assert (module.name, module.title, module.categories) == ("Example", "An example", ("Examples",))
    assert slicer.util.getModuleWidget("Example") is example
    assert slicer.util.modulePath("Example").endswith("Example.py")
    assert example.resourcePath("UI/Example.ui").endswith("Resources/UI/Example.ui")
    assert example.parent.layout().count() > 0


def test_reloading_makes_a_new_panel(example, slicer):
    slicer.util.reloadScriptedModule("Example")
    fresh = slicer.util.getModuleWidget("Example")
    assert fresh is not example
    assert type(fresh) is not type(example)
    assert told() == ["setup"]  # the module's own list is new too


def test_an_unknown_module_cannot_be_selected(slicer):
    with pytest.raises(ValueError, match="no module"):
        slicer.util.selectModule("Exampel")


def test_its_parameter_node_is_one_per_scene(example, slicer):
    node = example.logic.getParameterNode()
    assert example.logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "Example"
    slicer.mrmlScene.Clear(0)
    assert example.logic.getParameterNode().GetAttribute("ModuleName") == "Example"


def test_its_self_test_runs(example, slicer):
    slicer.selfTests["Example"]()
    assert told()[-1] == "test"


def test_start_up_is_told_to_modules_that_wait_for_it(example, slicer):
    slicer.app.startupCompleted()
    assert told()[-1] == "started"


@pytest.fixture
def samples(slicer, monkeypatch):
    """The module SampleData, with no samples of others."""
    import SampleData

    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    return SampleData


def make_volume(source):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", source.nodeNames[0])


def test_sample_data_are_registered_and_loaded(slicer, samples):
    """By its button: by its name, Slicer looks for files to download, whatever a sample brings to make its own."""
    import qt

    about = {"category": "Test", "sampleName": "A phantom", "nodeNames": "Phantom", "customDownloader": make_volume}
    logic = samples.SampleDataLogic()
    for _twice in range(2):
        logic.registerCustomSampleDataSource(**about, uris="", fileNames="", checksums="")
    frame = qt.QWidget()
    samples.SampleDataWidget.setCategoriesFromSampleDataSources(
        qt.QVBoxLayout(frame), slicer.modules.sampleDataSources, logic
    )
    (button,) = slicer.util.findChildren(frame, name="A phantomPushButton")
    button.click()
    assert slicer.util.getNode("Phantom").GetClassName() == "vtkMRMLScalarVolumeNode"
    with pytest.raises(NotBuiltInHost, match="Downloading"):
        logic.downloadSample("A phantom")
    with pytest.raises(ValueError, match="checksum"):
        samples.SampleDataLogic.registerCustomSampleDataSource(sampleName="x", uris="https://example.org/x.nrrd")


def test_sample_data_without_files_are_refused(samples):
    register = samples.SampleDataLogic.registerCustomSampleDataSource
    with pytest.raises(TypeError, match="no len"):
        register(sampleName="A phantom", nodeNames="Phantom", customDownloader=make_volume)
    with pytest.raises(ValueError, match="same length"):
        register(sampleName="A phantom", uris=["", ""], fileNames=[""], customDownloader=make_volume)
