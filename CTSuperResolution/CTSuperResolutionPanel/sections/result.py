"""Result section: what the last result is, and its export."""

from __future__ import annotations

import html
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionLib.output.page import result_page
from CTSuperResolutionPanel.panel_state import PanelState
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene import export, voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import CUBIC, SR, report_of
from CTSuperResolutionPanel.sections.estimate import gigabytes
from CTSuperResolutionPanel.sections.wrapped_text import set_wrapped_text


class ResultSection:
    """The part of the panel for the result.

    Args:
        ui: the widgets of the panel by name.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._state: PanelState | None = None
        self._stepper: Stepper | None = None
        ui.saveNrrdButton.connect("clicked(bool)", lambda checked: self._ask_for_file())
        ui.saveDicomButton.connect("clicked(bool)", lambda checked: self._ask_for_folder())
        ui.savePageButton.connect("clicked(bool)", lambda checked: self._ask_for_page())
        ui.resultCollapsibleButton.visible = ui.saveLabel.visible = False

    def set_state(self, state: PanelState | None) -> None:
        """Work with that state from now on."""
        self._state = state

    def refresh(self) -> None:
        """Show the state's result."""
        volume = None if self._state is None else self._state.srVolume
        self._ui.resultCollapsibleButton.visible = volume is not None
        if volume is not None:
            set_wrapped_text(self._ui.reportLabel, summary(volume))

    def save_nrrd(self, path: Path) -> None:
        """Write the super-resolved volume to a file, without holding up the window."""
        if self._state is not None:
            self._save(export.to_nrrd(self._state.srVolume, path), path)

    def save_dicom(self, folder: Path) -> None:
        """Write it to a folder as a DICOM series, without holding up the window."""
        if self._state is not None:
            self._save(export.to_dicom(self._state.srVolume, folder), folder)

    def save_page(self, path: Path) -> None:
        """Write the page of the result to a file."""
        if self._state is None:
            return
        try:
            path.write_text(result_page(report_of(self._state.srVolume)), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._say(_("It could not be saved: {reason}.").format(reason=error))
        else:
            self._say(_("Saved to {place}.").format(place=path))

    def stop(self) -> None:
        """Write no more; what is incomplete is deleted."""
        if self._stepper is not None:
            self._stepper.stop()
            self._done(_("Not saved."))

    def _save(self, work: Generator[float, None, str | None], place: Path) -> None:
        saved = _("Saved to {place}.").format(place=place)
        self._stepper = Stepper(
            work,
            done=lambda to_know: self._done(f"{saved} {to_know}" if to_know else saved),
            failed=lambda error: self._done(_("It could not be saved: {reason}.").format(reason=error)),
            progress=lambda fraction: self._say(_("Saving: {percent} %").format(percent=round(100 * fraction))),
        )
        self._enable(False)
        self._stepper.start()

    def _done(self, sentence: str) -> None:
        self._stepper = None
        self._enable(True)
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._ui.saveLabel.text = sentence
        self._ui.saveLabel.visible = True

    def _enable(self, enabled: bool) -> None:
        for button in (self._ui.saveNrrdButton, self._ui.saveDicomButton, self._ui.savePageButton):
            button.enabled = enabled

    def _ask_for_file(self) -> None:
        if self._state is None:
            return
        name = file_name(self._state.srVolume.GetName())
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Save the super-resolved volume"), name, "NRRD (*.nrrd)"
        )
        if not path:
            return
        path, chosen = with_ending(Path(path)), Path(path)
        replace = _("{name} is there already. Replace it?").format(name=path.name)
        if path == chosen or not path.exists() or slicer.util.confirmYesNoDisplay(replace):  # it asked for the chosen
            self.save_nrrd(path)

    def _ask_for_page(self) -> None:
        if self._state is None:
            return
        name = Path(file_name(self._state.srVolume.GetName())).with_suffix(".html").name
        path = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), _("Save the page"), name, "HTML (*.html)")
        if path:
            self.save_page(Path(path))

    def _ask_for_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder for the DICOM series, which gets a new folder of its own")
        )
        if folder:
            self.save_dicom(Path(folder))


def file_name(volume_name: str) -> str:
    """A name for a volume's file that every file system takes."""
    return re.sub(r'[/\\:*?"<>|]', "-", volume_name.replace("×", "x")) + ".nrrd"


def with_ending(path: Path) -> Path:
    """A path that ends in .nrrd. Another dot in the name is part of it, as in "CT 1.25mm"."""
    return path if path.suffix.lower() == ".nrrd" else path.with_name(f"{path.name}.nrrd")


def summary(volume: slicer.vtkMRMLScalarVolumeNode) -> str:
    """What a result is, in a few lines of HTML."""
    report = report_of(volume)
    spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
    lines = [
        f"<b>{html.escape(volume.GetName())}</b>",
        _("{size} voxels of {spacing} mm").format(
            size=" × ".join(map(str, reversed(voxel_geometry.shape(volume)))),
            spacing=" × ".join(f"{s:.3g}" for s in reversed(spacing)),
        ),
    ]
    agreement = {name: norms["rms_hu"] for name, norms in report.get("consistency", {}).items()}
    if agreement.get(SR) is not None and agreement.get(CUBIC) is not None:
        lines.append(
            _("Degraded again, it differs from the scan by {sr:.1f} HU rms (cubic {cubic:.1f})").format(
                sr=agreement[SR], cubic=agreement[CUBIC]
            )
        )
    added = (report.get("added") or {}).get("everywhere")
    if added:
        lines.append(
            _("Added {rms:.0f} HU rms, above 50 HU in {share:.0f} % of the voxels").format(
                rms=added["rms_hu"], share=added["above_50_percent"]
            )
        )
    interval = report.get("error_interval") or {}
    if interval.get("test_gain_db") is not None:
        lines.append(
            _("Tested within the scan's own slices, {gain:.1f} dB nearer to what was measured than cubic").format(
                gain=interval["test_gain_db"]
            )
        )
    by_tissue = interval.get("by_tissue")
    if by_tissue and by_tissue.get("everywhere"):
        lines.append(_error(by_tissue))
    job = report.get("job", {})
    parts = [str(job.get("preset", "")), str(report.get("device", "")).upper()]
    if report.get("seconds"):
        parts.append(clock_text(report["seconds"]))
    if report.get("peak_mb"):
        parts.append(gigabytes(1e6 * report["peak_mb"]))
    parts.append(_("seed {seed}").format(seed=report.get("seed", 0)))
    lines.append(html.escape(" · ".join(filter(None, parts))))
    lines.append(f"<i>{_('For research. Not for diagnosis.')}</i>")
    return "<br>".join(lines)


def _error(by_tissue: Mapping[str, Any]) -> str:
    """How far to believe a result, in a sentence."""
    names = {"lung": _("lung"), "soft_tissue": _("soft tissue"), "bone": _("bone"), "everywhere": _("all")}
    widths = [
        _("±{width:.0f} HU in {tissue}").format(width=by_tissue[key]["mean_half_width_hu"], tissue=name)
        for key, name in names.items()
        if by_tissue.get(key)
    ]
    masked = by_tissue["everywhere"]["above_150_percent"]
    return _(
        "Nine of ten voxels are within {widths}; {share:.0f} % of the voxels may be off by more than 150 HU"
    ).format(widths=", ".join(widths), share=masked)
