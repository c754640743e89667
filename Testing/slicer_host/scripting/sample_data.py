"""SampleData as in Slicer 5.8: the list of sample data sets and their buttons. The host downloads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from slicer_host.errors import NotBuiltInHost

__all__ = ["SampleDataLogic", "SampleDataSource", "SampleDataWidget", "downloadSample"]


class SampleDataSource:
    """A data set: where it comes from and how it is loaded. All that is said of its files is of one length."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        customDownloader: Callable | None = None,
        thumbnailFileName: str | None = None,
    ):
        if isinstance(uris, str):
            uris, fileNames, nodeNames, checksums = [uris], [fileNames], [nodeNames], [checksums]
        elif isinstance(uris, (list, tuple)):
            nodeNames = [None] * len(uris) if nodeNames is None else nodeNames
            checksums = [None] * len(uris) if checksums is None else checksums
        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.uris, self.fileNames, self.nodeNames, self.checksums = uris, fileNames, nodeNames, checksums
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        if not len(uris) == len(fileNames) == len(nodeNames) == len(checksums):
            raise ValueError(f"All fields of sample data source must have the same length: {vars(self)}")
        if any(uri and not checksum for uri, checksum in zip(uris, checksums, strict=True)):
            raise ValueError(f"Sample data {sampleName!r} has no checksum; Slicer warns of that.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampleDataSource) and vars(self) == vars(other)

    __hash__ = None


class SampleDataLogic:
    """Slicer's own sample data are listed by name only."""

    def __init__(self, logMessage: Callable | None = None):
        self.builtInCategoryName, self.developmentCategoryName = "General", "Development"

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **about: Any) -> None:
        """Add a data set, described as SampleDataSource is, to a category; once is enough."""
        source = SampleDataSource(**about)
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        known = slicer.modules.sampleDataSources.setdefault(category, [])
        if source not in known:
            known.append(source)

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        """The registered data set of that name, or None."""
        for sources in getattr(slicer.modules, "sampleDataSources", {}).values():
            for source in sources:
                if source.sampleName == sampleName:
                    return source
        return None

    def downloadFromSource(self, source: SampleDataSource) -> list:
        """Download and load the files of a data set. A downloader of its own is not asked: that does its button."""
        raise NotBuiltInHost(f"Downloading {source.uris}")

    def downloadSample(self, sampleName: str) -> Any:
        """Load a data set by name; returns its first node."""
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise ValueError(f"The host has no sample data {sampleName!r}; those of Slicer itself are not in it.")
        return self.downloadFromSource(source)[0]


class SampleDataWidget:
    """The module's panel, of which the host has the buttons."""

    @staticmethod
    def setCategoriesFromSampleDataSources(categoryLayout: Any, dataSources: dict, logic: SampleDataLogic) -> None:
        """Put a group of buttons for each category into a layout."""
        for category in sorted(dataSources):
            frame = qt.QGroupBox(category)
            categoryLayout.addWidget(frame)
            layout = qt.QVBoxLayout(frame)
            for source in dataSources[category]:
                name = source.sampleDescription or source.nodeNames[0]
                button = qt.QToolButton()
                button.setText(name)
                button.name = f"{name}PushButton"
                layout.addWidget(button)
                if source.customDownloader:
                    button.connect("clicked()", lambda s=source: s.customDownloader(s))
                else:
                    button.connect("clicked()", lambda s=source: logic.downloadFromSource(s))


def downloadSample(sampleName: str) -> Any:
    """Load a data set by name; returns its first node."""
    return SampleDataLogic().downloadSample(sampleName)
