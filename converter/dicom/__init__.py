"""The DICOM file: elements, transfer syntaxes, fragments, functional groups."""
