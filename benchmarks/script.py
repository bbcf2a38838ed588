"""The script that everyone writes: pydicom, its LUT functions, Pillow. Run as `python script.py FOLDER FILE...`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut


def main(folder: Path, files: list[str]) -> None:
    """Make the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        dataset = pydicom.dcmread(file)
        pixels = dataset.pixel_array
        frames = pixels if int(dataset.get("NumberOfFrames", 1)) > 1 else pixels[None]
        for index, frame in enumerate(frames):
            if dataset.SamplesPerPixel == 1:
                values = apply_voi_lut(apply_modality_lut(frame, dataset), dataset).astype(float)
                values = (values - values.min()) / max(values.max() - values.min(), 1) * 255
                frame = values.astype(np.uint8)
            Image.fromarray(frame).save(folder / f"{number}-{index}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
