"""Choices of the panel as a task, or what is missing for one."""

from __future__ import annotations

import math
from dataclasses import replace

from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import PARAMETERS, PRESET_NAMES, Value
from CTSuperResolutionLib.job.refinement import parse_spacing
from CTSuperResolutionLib.reconstruction.methods import METHODS
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionPanel.panel_state import BY_SPACING, PER_AXIS, PanelState
from CTSuperResolutionPanel.process.error_messages import in_panel_words
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.views_task import ViewsTask
from CTSuperResolutionPanel.scene import region_of_interest, voxel_geometry
from CTSuperResolutionPanel.scene.suitability import Problem, facts_of, find_problem
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges
from CTSuperResolutionPanel.sections.advanced_parameters import parse_settings

QUICK = (
    "views", "network", "ddim_steps", "start_step", "slice_axes", "slice_orientations", "adapt", "gaussians",
    "max_gaussians", "iterations",
)  # fmt: skip
"""What sketches take from the quickest preset."""

ALONE: dict[str, Value] = {"measured": "no", "error": "no"}
ON_VOXELS: dict[str, Value] = {"residual": "grid", "grid_steps": 1, "views": 8}


class NotReady(Exception):
    """Something is missing for a task; the message says what, in a sentence."""


def looking() -> NotReady:
    """A part of a scan has to wait for the look at all of it."""
    return NotReady(_("Looking at the whole scan, for how it was acquired; in a moment this can start."))


def volume_remark(state: PanelState) -> Problem | None:
    """What speaks against the chosen volume, even where the user insists; None where nothing does."""
    volume = state.inputVolume
    return None if volume is None else find_problem(facts_of(volume))


def volume_problem(state: PanelState) -> Problem | None:
    """What keeps the chosen volume from being used; None where nothing does, or none is chosen."""
    problem = volume_remark(state)
    return None if problem is not None and problem.may_insist and insists(state) else problem


def insists(state: PanelState) -> bool:
    """Whether the user takes the chosen volume although it may be no CT. Another volume is judged anew."""
    return state.inputVolume is not None and state.unusualVolume is state.inputVolume


def method_of(state: PanelState) -> Method:
    """The method that the user chose.

    Raises:
        NotReady: it is not allowed.
    """
    axes = f"{state.factorZ},{state.factorY},{state.factorX}"
    try:
        return Method(
            scale=axes if state.scale == PER_AXIS else state.scale,
            spacing=parse_spacing(state.spacing) if state.scale == BY_SPACING else None,
            preset=state.preset,
            settings=parse_settings(state.settings),
            prior=state.prior,
            seed=state.seed,
            device=state.device,
        )
    except JobError as error:
        raise NotReady(in_panel_words(error)) from error


def run_task(state: PanelState) -> PanelTask:
    """The task for Apply.

    Raises:
        NotReady: something is missing.
    """
    return _task(state, _chosen_part(state), preview=False)


def views_task(state: PanelState) -> ViewsTask:
    """The task for reconstructions from few views.

    Raises:
        NotReady: something is missing.
    """
    ranges, volume = _chosen_part(state), state.inputVolume
    methods = tuple(name for name in METHODS if name in state.fewViewsMethods.split(","))
    if not methods:
        raise NotReady(_("Choose a method."))
    scan = SimulatedScan(
        views=state.fewViews, beam=state.fewViewsBeam, photons=float(state.fewViewsPhotons), seed=state.seed
    )
    unusual = _may_look_unusual(state, ranges)
    return ViewsTask(
        volume.GetID(), volume.GetName(), ranges, scan, state.fewViewsVoxels, methods, state.device, unusual
    )


def preview_task(state: PanelState, point: tuple[float, float, float]) -> PanelTask:
    """The task for a preview around a point of the world.

    Raises:
        NotReady: something is missing.
    """
    _require_volume(state)
    spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(state.inputVolume))
    try:
        fine = math.prod(method_of(state).refinement(spacing).spacing) ** (1 / 3)
    except JobError as error:
        raise NotReady(in_panel_words(error)) from error
    ranges = region_of_interest.around(point, state.inputVolume, state.previewVoxels * fine)
    if ranges is None:
        raise NotReady(_("The crosshair is outside the scan; hold Shift and move the mouse over it."))
    return _task(state, ranges, preview=True)


def sketch_task(state: PanelState, point: tuple[float, float, float]) -> PanelTask:
    """The task for a sketch around a point of the world: a preview by what is quickest, but for what the user set.

    It has no volume of what was measured. Its residual is on voxels, of few views, which takes a tenth of the time of
    Gaussians, unless the user set something of these.

    Raises:
        NotReady: something is missing, or the quickest does not go with what was set.
    """
    task = preview_task(state, point)
    settings = {name: PARAMETERS[name].defaults[PRESET_NAMES[0]] for name in QUICK} | ALONE
    if not any(PARAMETERS[name].group == "gaussians" for name in task.method.settings):
        settings |= ON_VOXELS
    try:
        method = replace(task.method, settings={**settings, **task.method.settings})
    except JobError as error:
        raise NotReady(in_panel_words(error)) from error
    return replace(task, method=method, sketch=True)


def _require_volume(state: PanelState) -> None:
    if state.inputVolume is None:
        raise NotReady(_("Choose a volume."))
    problem = volume_problem(state)
    if problem is not None:
        raise NotReady(problem.sentence)


def _chosen_part(state: PanelState) -> VoxelRanges:
    """All of the chosen volume, or what is in the box."""
    _require_volume(state)
    if not state.useRoi or state.roi is None:
        return region_of_interest.whole(state.inputVolume)
    ranges = region_of_interest.ranges(state.roi, state.inputVolume)
    if ranges is None:
        raise NotReady(_("The box is outside the scan; drag it there or press Fit."))
    return ranges


def _task(state: PanelState, ranges: VoxelRanges, *, preview: bool) -> PanelTask:
    volume, unusual = state.inputVolume, _may_look_unusual(state, ranges)
    return PanelTask(volume.GetID(), volume.GetName(), ranges, method_of(state), preview, unusual)


def _may_look_unusual(state: PanelState, ranges: VoxelRanges) -> bool:
    """Whether values do not matter: of a part nobody can judge by them whether it is CT, and the panel has seen all."""
    return ranges != region_of_interest.whole(state.inputVolume) or insists(state)
