"""From stored values to gray: modality LUT, VOI, presentation."""
