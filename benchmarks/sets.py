"""Image sets of the sizes that hospitals send, made from images that pydicom ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom import Dataset

ROOT = "1.2.840.10008.1.2."


def make(folder: Path, name: str, count: int) -> list[Path]:
    """The files of a set, made where they are not there yet.

    Parameters
    ----------
    name : str
        Key of `SETS`.
    count : int
        How many files, or frames of the one file of a multi-frame set.
    """
    place = folder / f"{name}-{count}"
    if not place.exists():
        spare = place.with_suffix(".part")
        spare.mkdir(parents=True, exist_ok=True)
        for number, dataset in enumerate(SETS[name](count)):
            dataset.save_as(spare / f"{number:04}.dcm", enforce_file_format=True)
        spare.rename(place)
    return sorted(place.iterdir())


def _shipped(name: str) -> Dataset:
    import pydicom
    from pydicom.data import get_testdata_file

    found = pydicom.dcmread(str(get_testdata_file(name)))
    if found.file_meta.TransferSyntaxUID.is_compressed:
        found.decompress()
    return found


def _enlarged(pixels: np.ndarray[Any, Any], rows: int, columns: int) -> np.ndarray[Any, Any]:
    from PIL import Image

    floats = pixels.astype(np.float32)
    return np.asarray(Image.fromarray(floats).resize((columns, rows), Image.Resampling.BICUBIC))


def _slices(count: int, rows: int, columns: int, name: str, noise: float, top: int) -> Iterator[np.ndarray[Any, Any]]:
    """Slices that differ as neighbours do: shifted a little, each with its own noise."""
    base = _enlarged(_shipped(name).pixel_array, rows, columns)
    chance = np.random.default_rng(20)
    for number in range(count):
        moved = np.roll(base, number % 16, axis=1)
        yield np.clip(moved + chance.normal(0, noise, base.shape), 0, top).astype(np.uint16)


def _with_pixels(dataset: Dataset, pixels: np.ndarray[Any, Any], number: int) -> Dataset:
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.InstanceNumber = number + 1
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{number + 1}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PixelData = pixels.astype("<u2").tobytes()
    return dataset


def ct(count: int, codec: Callable[[np.ndarray[Any, Any]], bytes] | None = None, syntax: str = "") -> Iterator[Dataset]:
    """CT slices of 512 x 512, each in a file with the 258 elements of a real scanner."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    for number, pixels in enumerate(_slices(count, 512, 512, "CT_small.dcm", 6, 4095)):
        dataset = _with_pixels(_shipped("CT_small.dcm"), pixels, number)
        dataset.WindowCenter, dataset.WindowWidth = "40", "400"
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11
        del dataset.PixelPaddingValue
        if codec:
            dataset.file_meta.TransferSyntaxUID = UID(syntax)
            dataset.PixelData = encapsulate([codec(pixels)])
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        yield dataset


def cr(count: int) -> Iterator[Dataset]:
    """Radiographs of 3000 x 2500 with 12 bits."""
    for number, pixels in enumerate(_slices(count, 3000, 2500, "examples_overlay.dcm", 12, 4095)):
        dataset = _with_pixels(_shipped("CT_small.dcm"), pixels, number)
        dataset.Modality = "CR"
        dataset.WindowCenter, dataset.WindowWidth = "1000", "2000"
        dataset.RescaleIntercept, dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = "0", 0, 12, 11
        del dataset.PixelPaddingValue
        yield dataset


def mr(count: int) -> Iterator[Dataset]:
    """One MR object of 512 x 512 with many frames, from the largest real MR image that pydicom ships."""
    frames = np.stack(list(_slices(count, 512, 512, "examples_overlay.dcm", 2, 4095)))
    dataset = _with_pixels(_shipped("MR_small.dcm"), frames, 0)
    dataset.NumberOfFrames = count
    dataset.WindowCenter, dataset.WindowWidth = "450", "790"
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11
    yield dataset


def us(count: int) -> Iterator[Dataset]:
    """An ultrasound cine of 640 x 480 in JPEG baseline."""
    from imagecodecs import jpeg8_encode
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    dataset = _shipped("examples_jpeg2k.dcm")
    base = dataset.pixel_array
    frames = [jpeg8_encode(np.roll(base, n % 8, axis=0), level=90, subsampling="422") for n in range(count)]
    dataset.file_meta.TransferSyntaxUID = UID(f"{ROOT}4.50")
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_FULL_422", 0
    dataset.NumberOfFrames, dataset.FrameTime = count, "33"
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    yield dataset


def jpeg_ls(count: int) -> Iterator[Dataset]:
    """CT in JPEG-LS."""
    from imagecodecs import jpegls_encode

    yield from ct(count, jpegls_encode, f"{ROOT}4.80")


def jpeg_lossless(count: int) -> Iterator[Dataset]:
    """CT in JPEG lossless, first-order prediction."""
    from imagecodecs import ljpeg_encode

    yield from ct(count, lambda pixels: ljpeg_encode(pixels, bitspersample=12), f"{ROOT}4.70")


def jpeg_2000(count: int) -> Iterator[Dataset]:
    """CT in JPEG 2000, lossless."""
    from imagecodecs import jpeg2k_encode

    def encode(pixels: np.ndarray[Any, Any]) -> bytes:
        return bytes(jpeg2k_encode(pixels, level=0, reversible=True, codecformat="j2k", bitspersample=12))

    yield from ct(count, encode, f"{ROOT}4.90")


SETS: dict[str, Callable[[int], Iterator[Dataset]]] = {
    "CT": ct,
    "CR": cr,
    "MR": mr,
    "US": us,
    "JPEG-LS": jpeg_ls,
    "JPEG lossless": jpeg_lossless,
    "JPEG 2000": jpeg_2000,
}
