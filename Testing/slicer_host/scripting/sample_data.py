"""SampleData: the list of sample data sets, and loading of those that a module makes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from slicer_host.errors import NotBuiltInHost

__all__ = ["SampleDataLogic", "SampleDataSource", "downloadSample"]


class SampleDataSource:
    """A data set: where it comes from and how it is loaded."""

    def __init__(
        self,
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        customDownloader: Callable | None = None,
    ):
        def many(item: Any) -> list:
            return list(item) if isinstance(item, (list, tuple)) else [item]

        self.sampleName, self.uris, self.fileNames = sampleName, many(uris), many(fileNames)
        self.nodeNames, self.checksums, self.customDownloader = many(nodeNames), many(checksums), customDownloader


class SampleDataLogic:
    """Slicer's own sample data are listed by name only; what a module registers and makes itself works."""

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **about: Any) -> None:
        """Add a data set, described as SampleDataSource is, to a category."""
        source = SampleDataSource(**about)
        if source.uris != [None] and source.checksums == [None]:
            raise ValueError(f"Sample data {source.sampleName!r} has no checksum; Slicer warns of that.")
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        """The registered data set of that name, or None."""
        for sources in getattr(slicer.modules, "sampleDataSources", {}).values():
            for source in sources:
                if source.sampleName == sampleName:
                    return source
        return None

    def downloadFromSource(self, source: SampleDataSource) -> list:
        """Load a data set; returns its nodes."""
        if source.customDownloader is None:
            raise NotBuiltInHost("Downloading sample data")
        found = source.customDownloader(source)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def downloadSample(self, sampleName: str) -> Any:
        """Load a data set by name; returns its first node."""
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise ValueError(f"The host has no sample data {sampleName!r}; those of Slicer itself are not in it.")
        return self.downloadFromSource(source)[0]


def downloadSample(sampleName: str) -> Any:
    """Load a data set by name; returns its first node."""
    return SampleDataLogic().downloadSample(sampleName)
