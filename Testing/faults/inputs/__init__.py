"""Mutated NRRD, MetaImage, NIfTI and DICOM files: what ``read_volume`` makes of them, and what other readers make."""
