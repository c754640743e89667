"""Dialog that says what jobs need, how much that is and where it goes, and installs it."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.install import dialog_texts, extension, plan, readiness_cache
from CTSuperResolutionPanel.install.environment_inspection import EnvironmentInspection
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.installer import Installer, InstallOutcome, InstallProgress, pip_is_busy
from CTSuperResolutionPanel.install.interpreters import choose, chosen_python, is_slicers, python_in, slicers_python
from CTSuperResolutionPanel.install.requirements import TORCH

WIDTH = 640
RESOURCES = Path(__file__).resolve().parents[2] / "Resources" / "UI"


class InstallDialog:
    """One modal dialog: inspects the chosen Python, and closes by itself where that has all that jobs need.

    Args:
        parent: the window that it belongs to.
        stay: do not close by itself, so that another Python can be chosen.

    Attributes:
        python: the Python to run jobs with; None while there is none.
    """

    def __init__(self, parent: qt.QWidget | None = None, *, stay: bool = False) -> None:
        self.python: Path | None = None
        self._stay = stay
        self._unattended = False
        self._torch_came = False
        self._warned: Path | None = None
        self._found: EnvironmentStatus | None = None  # Slicer's own Python, for it is where things can be installed
        self._inspection: EnvironmentInspection | None = None
        self._installer: Installer | None = None
        self.dialog = qt.QDialog(parent or slicer.util.mainWindow())
        self.dialog.setWindowTitle(_("What CT Super-Resolution needs"))
        widget = slicer.util.loadUI(str(RESOURCES / "Install.ui"))
        qt.QVBoxLayout(self.dialog).addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        self.ui.extensionButton.connect("clicked()", self._install_extension)
        self.ui.goOnButton.connect("clicked()", self._go_on)
        self.ui.startButton.connect("clicked()", self._start)
        self.ui.closeButton.connect("clicked()", self._close)
        for button in (self.ui.internetButton, self.ui.folderButton, self.ui.otherButton):
            button.connect("toggled(bool)", lambda checked: self._show_choice())
        for edit in (self.ui.folderEdit, self.ui.otherEdit):
            edit.connect("currentPathChanged(QString)", lambda path: self._show_choice())
        self.dialog.connect("finished(int)", lambda result: self._stop())
        self._inspect(chosen_python())

    def exec(self) -> Path | None:
        """Show it until it is closed, and return the Python to run jobs with, or None where the user declined.

        Where Slicer runs its tests there is nobody to answer: what would be offered is declined.
        """
        self._unattended = slicer.app.testingEnabled()
        self.dialog.exec()
        self.dialog.deleteLater()  # the main window, its parent, would keep it
        return self.python

    # Inspection

    def _inspect(self, python: Path) -> None:
        self._show_busy(_("Looking at what {python} has …").format(python=dialog_texts.name(python)))
        self._inspection = EnvironmentInspection(python, self._inspected)

    def _inspected(self, found: EnvironmentStatus) -> None:
        self._inspection = None
        fit = found.ready and (not found.unfit_torch or found.python == self._warned)
        if fit and not found.installable and not self._stay:
            self._use(found)
        elif is_slicers(found.python):
            self._found = found
            if self._torch_came and found.ready and found.installable and not found.needs_torch:
                self._install(found)  # what compiles the kernels: only now is it known for which CUDA
            else:
                self._show_offer(found)
        else:
            self._warned = found.python  # who chooses it again has read what is wrong with it
            self.ui.otherButton.checked = True
            self.ui.otherEdit.currentPath = str(found.python)
            self._say(found)
            if self._found is None:
                # What stays shown is what is wrong with the Python that the user had chosen.
                self._inspection = EnvironmentInspection(slicers_python(), self._inspected_beside)
            else:
                self._show_choice()

    def _inspected_beside(self, found: EnvironmentStatus) -> None:
        self._inspection = None
        self._found = found
        self._show_choice()

    def _use(self, found: EnvironmentStatus) -> None:
        choose(found.python)
        readiness_cache.remember(found)
        self.python = found.python
        self.dialog.accept()

    # What is shown

    def _say(self, found: EnvironmentStatus) -> None:
        self.ui.problemLabel.text = found.problem or _("{python} has what jobs need.").format(
            python=dialog_texts.name(found.python)
        )
        self.ui.fixLabel.text = found.fix
        self.ui.fixLabel.visible = bool(found.fix)

    def _show_busy(self, text: str) -> None:
        for widget in (self.ui.choiceBox, self.ui.planBox, self.ui.logButton, self.ui.goOnButton, self.ui.fixLabel):
            widget.visible = False
        self.ui.problemLabel.text = text
        self.ui.stepLabel.text = ""
        self.ui.progressBar.maximum = 0
        self.ui.progressBar.visible = True
        self.ui.startButton.enabled = False
        self._fit()

    def _show_offer(self, found: EnvironmentStatus) -> None:
        self._say(found)
        if not found.installable:
            self.ui.otherButton.checked = True
        self._show_choice()

    def _show_choice(self) -> None:
        """What the chosen way means, and whether it can be gone."""
        found, ui = self._found, self.ui
        if found is None or self._installer is not None or self._inspection is not None:
            return
        if self._unattended:
            logging.warning(f"Nothing is installed while Slicer runs tests. {found.problem}")
            if found.ready and not self._stay:
                self._use(found)
            else:
                self.dialog.reject()
            return
        ui.progressBar.visible = False
        ui.choiceBox.visible = True
        ui.logButton.visible = bool(ui.logText.plainText)
        ui.goOnButton.visible = found.ready
        ui.goOnButton.text = dialog_texts.go_on(found)
        ui.internetButton.enabled = ui.folderButton.enabled = found.installable
        ui.folderEdit.visible = ui.folderButton.checked
        ui.otherEdit.visible = ui.otherButton.checked
        needs_extension = ui.internetButton.checked and found.needs_torch and not extension.is_there()
        ui.extensionButton.visible = needs_extension and extension.can_be_installed()
        ui.planBox.visible = found.installable and not ui.otherButton.checked
        ui.whatLabel.text = dialog_texts.what(found)
        ui.sizeLabel.text = dialog_texts.size(found, ui.folderButton.checked)
        ui.whereLabel.text = dialog_texts.where(found)
        ui.startButton.text = self._verb(found)
        if ui.otherButton.checked:
            ui.hintLabel.text = _(
                "An environment in which ctsuperresolution was installed, of Python 3.10 or newer: its folder, or the "
                "Python in it. Nothing is installed there."
            )
            ui.startButton.enabled = bool(ui.otherEdit.currentPath)
        elif ui.folderButton.checked:
            ui.hintLabel.text = _(
                "To get the wheels, run this on a computer that has internet, the same system and the same Slicer:\n"
                "{command}"
            ).format(command=plan.download_command(found))
            folder = Path(ui.folderEdit.currentPath)
            ui.startButton.enabled = bool(ui.folderEdit.currentPath) and any(folder.glob("*.whl"))
        else:
            ui.hintLabel.text = (
                _("torch comes through Slicer's PyTorch extension, which is not installed: install that first.")
                if needs_extension
                else ""
            )
            ui.startButton.enabled = found.installable and not needs_extension
        ui.hintLabel.visible = bool(ui.hintLabel.text)
        self._fit()

    def _fit(self) -> None:
        """Make it as high as its texts are, broken into lines; Qt leaves that out."""
        self.dialog.layout().activate()
        width = max(self.dialog.width, WIDTH)
        self.dialog.resize(width, self.dialog.heightForWidth(width))

    def _verb(self, found: EnvironmentStatus) -> str:
        if self.ui.otherButton.checked:
            return _("Use this Python")
        if found.replaces_torch:
            return _("Install torch for CUDA")
        return _("Repair") if found.broken else _("Install")

    # What the buttons do

    def _start(self) -> None:
        self._stay = False
        if self.ui.otherButton.checked:
            self._inspect(python_in(Path(self.ui.otherEdit.currentPath)))
            return
        if pip_is_busy():
            self.ui.stepLabel.text = _("Slicer is installing packages for another module; try again when that is done.")
            self._fit()
            return
        if self._found is not None:
            self.ui.logText.clear()
            self._install(self._found)

    def _install(self, found: EnvironmentStatus) -> None:
        offline = self.ui.folderButton.checked
        self._show_busy(found.problem)
        self.ui.logButton.visible = True
        self._fit()
        through_extension = found.needs_torch and not offline
        self._installer = Installer(
            found,
            wheels=Path(self.ui.folderEdit.currentPath) if offline else None,
            torch_arguments=extension.torch_arguments(TORCH.removeprefix("torch")) if through_extension else (),
            finder=extension.finder_arguments() if through_extension else plan.FINDER,
            on_line=lambda line: self.ui.logText.appendPlainText(line),
            on_progress=self._show_progress,
            on_end=lambda outcome: self._installed(found, outcome),
        )
        self._installer.start()

    def _show_progress(self, progress: InstallProgress) -> None:
        text = _("Step {step} of {steps}: {title} …").format(
            step=progress.step + 1, steps=progress.steps, title=progress.title
        )
        if progress.total:
            text += _(" {done:.0f} of {total:.0f} MB").format(done=progress.done / 1e6, total=progress.total / 1e6)
        self.ui.stepLabel.text = text
        self.ui.progressBar.maximum = progress.total // 1000  # in kB, for Qt counts to 2³¹
        self.ui.progressBar.value = progress.done // 1000

    def _installed(self, found: EnvironmentStatus, outcome: InstallOutcome) -> None:
        self._installer = None
        self._torch_came = outcome.ok and found.needs_torch and not self.ui.folderButton.checked
        self._inspect(slicers_python())
        self.ui.stepLabel.text = outcome.reason
        self.ui.logButton.visible = True
        self._fit()

    def _install_extension(self) -> None:
        self.ui.extensionButton.enabled = False
        try:
            worked = extension.install()
        finally:
            self.ui.extensionButton.enabled = True
        if worked:
            extension.confirm_restart(
                _("The PyTorch extension is there after a restart of Slicer. Save your scene first. Restart now?")
            )
        else:
            self.ui.hintLabel.text = _(
                "The PyTorch extension could not be installed; look for it in the Extensions Manager."
            )

    def _go_on(self) -> None:
        if self._found is not None:
            self._use(self._found)

    def _close(self) -> None:
        if self._installer is not None:
            self._installer.cancel()
        else:
            self.dialog.reject()

    def _stop(self) -> None:
        """The dialog is closed, however that came about."""
        if self._inspection is not None:
            self._inspection.stop()
        if self._installer is not None:
            self._installer.abandon()
        self._inspection = self._installer = None
