"""SampleData: the list of sample data sets, and their download from the local file system or the web."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import slicer


class SampleDataSource:
    """A data set: where it comes from and how it is loaded."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Callable | None = None,
        thumbnailFileName: str | None = None,
        loadFileType: Any = "VolumeFile",
        loadFileProperties: dict | None = None,
    ):
        def many(item: Any) -> list:
            return list(item) if isinstance(item, (list, tuple)) else [item]

        self.sampleName, self.sampleDescription = sampleName, sampleDescription
        self.uris, self.fileNames, self.nodeNames = many(uris), many(fileNames), many(nodeNames)
        self.checksums, self.loadFiles, self.loadFileType = many(checksums), many(loadFiles), many(loadFileType)
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}


class SampleDataLogic:
    """Slicer's own sample data are listed by name only; what a module registers works."""

    logMessage: Callable | None = None

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Callable | None = None,
        thumbnailFileName: str | None = None,
        loadFileType: Any = "VolumeFile",
        loadFiles: Any = None,
        loadFileProperties: dict | None = None,
        checksums: Any = None,
    ) -> None:
        """Add a data set to a category."""
        if uris is not None and checksums is None:
            raise ValueError(f"Sample data {sampleName!r} has no checksum; Slicer warns of that.")
        if thumbnailFileName is not None and not os.path.isfile(thumbnailFileName):
            raise ValueError(f"Sample data {sampleName!r}: there is no thumbnail {thumbnailFileName}.")
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        sources.append(
            SampleDataSource(
                sampleName=sampleName,
                uris=uris,
                fileNames=fileNames,
                nodeNames=nodeNames,
                thumbnailFileName=thumbnailFileName,
                loadFileType=loadFileType,
                loadFiles=loadFiles,
                loadFileProperties=loadFileProperties,
                checksums=checksums,
                customDownloader=customDownloader,
            )
        )

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        """The registered data set of that name, or None."""
        for sources in getattr(slicer.modules, "sampleDataSources", {}).values():
            for source in sources:
                if source.sampleName == sampleName:
                    return source
        return None

    def downloadFromSource(
        self, source: SampleDataSource, maximumCacheSizeMB: Any = None, maximumAge: Any = None
    ) -> list:
        """Load a data set; returns its nodes."""
        if source.customDownloader is not None:
            found = source.customDownloader(source)
            return list(found) if isinstance(found, (list, tuple)) else [found]
        nodes = []
        for uri, name, node_name, kind in zip(
            source.uris, source.fileNames, source.nodeNames, source.loadFileType, strict=True
        ):
            path = os.path.join(slicer.app.temporaryPath, name)
            slicer.util.downloadFile(uri, path, source.checksums[len(nodes)])
            nodes.append(slicer.util.loadNodeFromFile(path, kind, {"name": node_name, **source.loadFileProperties}))
        return nodes

    def downloadSample(self, sampleName: str) -> Any:
        """Load a data set by name; returns its first node."""
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName: str) -> list:
        """Load a data set by name; returns its nodes."""
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise ValueError(f"The host has no sample data {sampleName!r}; those of Slicer itself are not in it.")
        return self.downloadFromSource(source)


def downloadSample(sampleName: str) -> Any:
    """Load a data set by name; returns its first node."""
    return SampleDataLogic().downloadSample(sampleName)


def downloadSamples(sampleName: str) -> list:
    """Load a data set by name; returns its nodes."""
    return SampleDataLogic().downloadSamples(sampleName)


__all__ = ["SampleDataLogic", "SampleDataSource", "downloadSample", "downloadSamples"]
