"""DICOM's own network protocol: the only folder that knows pynetdicom."""
