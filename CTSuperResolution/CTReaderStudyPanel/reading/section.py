"""Read section of the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from CTSuperResolutionPanel.compare.layouts import PLANES
from CTSuperResolutionPanel.compare.section import scroll_to
from CTSuperResolutionPanel.compare.window_presets import WindowPreset, window_presets
from CTSuperResolutionPanel.process.error_messages import in_panel_words
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from CTReaderStudyPanel.reading.forms import Form, make_form
from CTReaderStudyPanel.reading.keys import Keys
from CTReaderStudyPanel.reading.look import Look
from CTReaderStudyPanel.reading.progress_text import progress_text, task_text, where_text
from CTReaderStudyPanel.reading.reading_views import ReadingViews
from CTReaderStudyPanel.reading.sitting import Sitting, State
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.study_files import read_study

UI_FILE = Path(__file__).parents[2] / "Resources" / "UI" / "ReadStudy.ui"

FOLDER_SETTING = "CTReaderStudy/Folder"

PLANE_KEYS = dict(zip("ACS", PLANES, strict=True))
SCROLL_KEYS = {"PgUp": 1, "PgDown": -1}
FORM_KEYS = (*"0123456789", "Left", "Right", "Up", "Down", "I", "M", "Del")
OTHER_KEYS = ("Space", "Backspace", "P", "R", "W", "T", "Esc")


class ReadSection(VTKObservationMixin):
    """Opens a study, shows what a reader is to answer, and takes the answers by keys and buttons.

    Args:
        parent_layout: where the section is added.
        on_open: called with whether a study is open, whenever that may have changed.

    Attributes:
        widget: the section.
        sitting: the reader's way through the study.
    """

    def __init__(self, parent_layout: qt.QBoxLayout, on_open: Callable[[bool], None]) -> None:
        super().__init__()
        self._on_open = on_open
        self.widget = slicer.util.loadUI(str(UI_FILE))
        parent_layout.addWidget(self.widget)
        ui = self._ui = slicer.util.childWidgetVariables(self.widget)
        self.views = ReadingViews(on_taken_away=self._views_taken_away, on_seen=self._show_slice)
        self.sitting = Sitting(self.views, self._refresh)
        self._form: Form | None = None
        self._form_look: Look | None = None
        self._presets = window_presets()
        self._preset = 0
        self._hint = ""
        keys = (*FORM_KEYS, *PLANE_KEYS, *SCROLL_KEYS, *OTHER_KEYS)
        self._keys = Keys(self.widget, keys, SCROLL_KEYS, self.press)
        self._planes = dict(zip(PLANES, (ui.axialButton, ui.coronalButton, ui.sagittalButton), strict=True))
        self._reveal = qt.QTimer()
        self._reveal.setSingleShot(True)
        self._reveal.connect("timeout()", lambda: scroll_to(ui.noticeLabel))
        self._connect(ui)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_closes)
        ui.folderEdit.currentPath = str(slicer.app.userSettings().value(FOLDER_SETTING) or "")
        self._look_into_folder()
        self._refresh()

    def start(self) -> None:
        """Open the chosen study for the chosen reader, where they left it."""
        ui = self._ui
        if ui.readerComboBox.currentIndex < 1:
            self._say_problem(_("Choose your name."))
            return
        slicer.app.userSettings().setValue(FOLDER_SETTING, ui.folderEdit.currentPath)
        self.sitting.open(Path(ui.folderEdit.currentPath), ui.readerComboBox.currentText)
        if self.sitting.reading is None:
            self._say_problem(self.sitting.message)
        else:
            self._keys.start()

    def leave(self) -> None:
        """Close the study; the user's views come back."""
        self._keys.stop()
        self._drop_form()
        self.sitting.leave()

    def cleanup(self) -> None:
        """The panel is destroyed."""
        self.leave()
        self._reveal.stop()
        self.removeObservers()

    def press(self, key: str) -> None:
        """Do what a key stands for."""
        if key == "Space":
            self._go_on()
        elif key == "Backspace":
            self._undo()
        elif key == "P":
            self._pause()
        elif key == "Esc":
            self._ui.commentEdit.clearFocus()
        elif self.sitting.state is State.LOOKING:
            self._press_while_looking(key)

    def _press_while_looking(self, key: str) -> None:
        if key in PLANE_KEYS:
            self._set_plane(PLANE_KEYS[key])
        elif key in SCROLL_KEYS:
            self.views.scroll(SCROLL_KEYS[key])
        elif key == "R":
            self.views.reset()
        elif key == "T":
            self._ui.commentEdit.setFocus()
        elif key == "W":
            if not self._window_is_locked():
                self._preset = (self._preset + 1) % len(self._presets)
                self._choose_window(self._presets[self._preset])
        elif self._form is not None:
            self._form.press(key)

    def _connect(self, ui: Any) -> None:
        ui.folderEdit.connect("currentPathChanged(QString)", lambda path: self._look_into_folder())
        ui.readerComboBox.connect("currentIndexChanged(int)", lambda index: self._say_problem(""))
        ui.startButton.connect("clicked()", self.start)
        ui.goOnButton.connect("clicked()", self._go_on)
        ui.undoButton.connect("clicked()", self._undo)
        ui.pauseButton.connect("clicked()", self._pause)
        ui.leaveButton.connect("clicked()", self.leave)
        ui.resetButton.connect("clicked()", self.views.reset)
        ui.commentEdit.connect("returnPressed()", lambda: ui.commentEdit.clearFocus())
        for plane, button in self._planes.items():
            button.checkable = True
            button.connect("clicked()", lambda plane=plane: self._set_plane(plane))
        for preset in self._presets:
            button = qt.QToolButton()
            button.text = preset.name
            button.focusPolicy = qt.Qt.NoFocus
            button.connect("clicked()", lambda preset=preset: self._choose_window(preset))
            ui.windowButtons.layout().addWidget(button)

    def _look_into_folder(self) -> None:
        """Offer the readers of the study that is chosen."""
        ui = self._ui
        ui.readerComboBox.clear()
        ui.titleLabel.text = problem = ""
        readers: list[str] = []
        if path := ui.folderEdit.currentPath.strip():
            try:
                study = read_study(Path(path))
                readers, ui.titleLabel.text = list(study.sessions), study.title
            except JobError as error:
                problem = in_panel_words(error)
        ui.readerComboBox.addItem(_("Choose your name"))
        ui.readerComboBox.addItems(readers)
        ui.titleLabel.visible = bool(ui.titleLabel.text)
        ui.readerComboBox.enabled = ui.startButton.enabled = bool(readers)
        self._say_problem(problem)

    def _say_problem(self, problem: str) -> None:
        self._ui.problemLabel.text = problem
        self._ui.problemLabel.visible = bool(problem)

    def _go_on(self) -> None:
        """Save the answer, or leave behind what is shown between two trials."""
        if self.sitting.state is not State.LOOKING:
            self.sitting.go_on()
            return
        answer = self._form.answer() if self._form is not None else None
        if answer is None:
            self._hint = _("Answer everything before you go on.")
            self._refresh()
            return
        comment = self._ui.commentEdit.text.strip()
        self.sitting.save(answer | ({"comment": comment} if comment else {}))

    def _undo(self) -> None:
        self.sitting.undo()

    def _pause(self) -> None:
        if self.sitting.state is State.PAUSED:
            self.sitting.go_on()
        else:
            self.sitting.pause()

    def _set_plane(self, plane: str) -> None:
        if self.sitting.state is State.LOOKING:
            self.views.set_plane(plane)
        self._refresh()

    def _window_is_locked(self) -> bool:
        return self.sitting.reading is None or self.sitting.reading.study.reading.window_locked

    def _choose_window(self, preset: WindowPreset) -> None:
        if self.sitting.state is State.LOOKING:
            self.views.set_window(preset.level, preset.window)

    def _views_taken_away(self) -> None:
        """Another layout was chosen: what cannot be seen is not looked at."""
        self.sitting.pause()

    def _on_scene_closes(self, _scene: object, _event: str) -> None:
        if self.sitting.state is not State.CLOSED:
            self.leave()
            self._say_problem(_("The scene was closed, and so is the study; what you saved is there. Start again."))

    def _form_changed(self) -> None:
        self._hint = ""
        self._refresh()

    def _drop_form(self) -> None:
        if self._form is not None:
            self._form.remove()
            self._form.widget.setParent(None)
            self._form.widget.deleteLater()
        self._form = self._form_look = None
        self.views.on_click = None

    def _take_form(self) -> None:
        """Have a form for the trial that is on the screen, empty as soon as that is another one."""
        trial, look = self.sitting.trial, self.views.look
        if self.sitting.state in (State.LOOKING, State.PAUSED, State.FEEDBACK) and self._form_look is look:
            return
        self._drop_form()
        if self.sitting.state is not State.LOOKING or trial is None:
            return
        self._form, self._form_look = make_form(trial, self.views.volumes, self._form_changed), look
        self._ui.formPlace.layout().addWidget(self._form.widget)
        self.views.on_click = self._form.click
        self._ui.commentEdit.text, self._hint = "", ""

    def _refresh(self) -> None:
        """Show what the sitting says."""
        ui, sitting = self._ui, self.sitting
        self._take_form()
        state, reading = sitting.state, sitting.reading
        ui.openingPart.visible = reading is None
        ui.readingPart.visible = reading is not None
        self._on_open(reading is not None)
        if reading is None:
            return
        looking = state is State.LOOKING
        ui.sessionProgressBar.maximum = reading.session.total
        ui.sessionProgressBar.value = reading.session.answered
        ui.progressLabel.text = progress_text(reading)
        ui.progressLabel.visible = state is not State.BREAK  # which says it in a sentence
        ui.taskLabel.text = task_text(sitting.trial) if state in (State.LOOKING, State.FEEDBACK) else ""
        ui.noticeLabel.text = self._hint or sitting.message or where_text(state, reading)
        warns = bool(self._hint or sitting.message)
        ui.noticeLabel.styleSheet = "background: #fff3cd; color: black" if warns else ""
        if warns:
            self._reveal.start(0)  # once the label has its place
        for widget in (ui.taskLabel, ui.noticeLabel):
            widget.visible = bool(widget.text)
        ui.formPlace.visible = ui.commentEdit.visible = ui.viewControls.visible = looking
        names = {State.LOOKING: _("Save and next (Space)"), State.BREAK: _("Begin (Space)")}
        ui.goOnButton.text = names.get(state, _("Go on (Space)"))
        ui.goOnButton.enabled = state is not State.LOADING
        ui.goOnButton.visible = ui.pauseButton.visible = state is not State.DONE
        ui.undoButton.enabled = sitting.may_undo
        ui.pauseButton.enabled = looking
        ui.windowButtons.visible = not self._window_is_locked()
        for plane, button in self._planes.items():
            button.checked = plane == self.views.plane
        if self._form is not None:
            self._form.show(looking)
            ui.keysLabel.text = f"{self._form.keys()} · {_('wheel, PgUp, PgDn: slices')}"
        self._show_slice()

    def _show_slice(self) -> None:
        if self.sitting.state is State.LOOKING:
            shown, count = self.views.position
            self._ui.sliceLabel.text = _("Slice {shown} of {count}").format(shown=shown, count=count)
