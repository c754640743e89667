"""Independent readers of NRRD, MetaImage, NIfTI and DICOM, none of which shares code with ITK."""
