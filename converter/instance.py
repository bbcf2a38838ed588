"""A DICOM image, opened: its format, and its frames one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from converter.dicom import part10, tags
from converter.dicom.elements import UNDEFINED
from converter.dicom.fragments import EncapsulatedFrames, NativeFrames, encapsulated_frames, native_frames
from converter.dicom.syntaxes import LOSSY, check_frames
from converter.errors import ConversionError
from converter.gray.choice import PERCENTILES, modality
from converter.gray.padding import padding, without
from converter.gray.window import LINEAR_EXACT, Window
from converter.pixels.codecs import CELLS, decode
from converter.pixels.depth import cut_off, exceeds, too_deep
from converter.pixels.format import PixelFormat, pixel_format
from converter.pixels.native import native_samples, stored_values, unswapped
from converter.pixels.overlays import overlays
from converter.without_pixels import no_pixels

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.dicom.part10 import DicomFile

# Enough for percentiles that no eye tells apart, at 1 ms a frame; one pixel in n is looked at beyond.
_SAMPLED_PIXELS = 1 << 18
_SAMPLED_FRAMES = 5
_TRIED_FRAMES = 32


class Instance:
    """One image object.

    Parameters
    ----------
    file : DicomFile
        The file, its header read.

    Attributes
    ----------
    sop_instance_uid : str
        (0008,0018) SOP Instance UID; empty where the object has none.

    Raises
    ------
    NotAnImage
        Where the object has no pixels by its nature.
    ConversionError
        Where the Image Pixel module is wrong, an image's pixels are gone, or they are video.
    """

    def __init__(self, file: DicomFile) -> None:
        self.file = file
        self.header: Header = file.header
        found = file.pixels
        if found is None:
            raise no_pixels(file)
        self.pixel_tag, self._element = found
        self.sop_instance_uid = self.header.text(tags.SOP_INSTANCE_UID)
        self._automatic: dict[tuple[float, float], Window] = {}
        try:
            check_frames(file.syntax)
            self.pixels = pixel_format(self.header, self.pixel_tag)
        except ConversionError as error:
            error.at(file=file.name)
            raise

    @property
    def frame_count(self) -> int:
        """(0028,0008) Number of Frames."""
        return self.pixels.frames

    @property
    def frames_present(self) -> int:
        """How many frames the pixel data really holds."""
        return min(self.frame_count, len(self._frames))

    @cached_property
    def _frames(self) -> NativeFrames | EncapsulatedFrames:
        if self.file.syntax.encapsulated and self._element.length == UNDEFINED:
            return encapsulated_frames(self.file.data, self._element, self.header, self.pixels.frames)
        return native_frames(self.file.data, self._element, self.pixels.frame_bits)

    def frame(self, number: int) -> Frame:
        """One decoded frame, counted from 1.

        Raises
        ------
        ConversionError
            Where it is missing, cut off or damaged; the error names file and frame.
        """
        try:
            samples, photometric = self._decoded(number - 1)
        except ConversionError as error:
            error.at(file=self.file.name, frame=number)
            raise
        bits = samples.dtype.itemsize * 8 if self.pixels.bits_allocated > 1 else 8
        return Frame(self, number, samples, self.pixels.as_decoded(photometric, bits))

    def release(self, number: int) -> None:
        """Give back the memory of a mapped frame that is done with."""
        self._frames.release(number - 1)

    def automatic_window(self, lowest: float = PERCENTILES[0], highest: float = PERCENTILES[1]) -> Window:
        """A window between two percentiles of the values: one for all frames, so that a cine does not flicker.

        Up to five of the frames that are there are looked at, padding left out; damaged ones are passed over.

        Raises
        ------
        ConversionError
            Where all that were tried are damaged.
        """
        if (lowest, highest) not in self._automatic:
            self._automatic[lowest, highest] = self._between(lowest, highest)
        return self._automatic[lowest, highest]

    def _between(self, lowest: float, highest: float) -> Window:
        values = np.concatenate(tuple(self._samples(every_pixel=(lowest, highest) == (0, 100))))
        if not values.size:
            return Window(0.5, 1.0, LINEAR_EXACT)
        low, high = (float(value) for value in np.percentile(values, (lowest, highest)))
        return Window((low + high) / 2, (high - low) or 1.0, LINEAR_EXACT)

    def _samples(self, *, every_pixel: bool) -> Iterator[Array]:
        """Values of a few of the frames; those that cannot be decoded are told when it is their turn to be shown.

        Raises
        ------
        ConversionError
            Where none of those that were tried can be decoded: what is wrong with the last one.
        """
        sampled = 0
        for number in _spread(max(1, self.frames_present)):
            try:
                sample = _sample(self.frame(number), every_pixel=every_pixel)
            except ConversionError as error:
                wrong = error
            else:
                sampled += 1
                yield sample
            if sampled == _SAMPLED_FRAMES:
                return
        if not sampled:
            raise wrong

    def _decoded(self, frame: int) -> tuple[Array, str]:
        if not 0 <= frame < self.pixels.frames:
            raise ConversionError(f"the object has {self.pixels.frames} frames", tag=tags.NUMBER_OF_FRAMES)
        frames = self._frames
        if isinstance(frames, EncapsulatedFrames):
            return self._decompressed(frames.stream(frame))
        (begin, end), first_bit = frames.span(frame)
        data, big_endian = memoryview(self.file.data), self._element.encoding.big_endian
        if big_endian and self._element.vr != b"OB" and self.pixels.bits_allocated in (1, 8):
            raw: bytes | memoryview = unswapped(data, frames.start, begin, end)
        else:
            raw = data[begin:end]
        return native_samples(raw, self.pixels, first_bit, big_endian=big_endian), self.pixels.photometric

    def _decompressed(self, stream: bytes) -> tuple[Array, str]:
        codec = self.file.syntax.codec
        decoded = decode(codec, stream, self.pixels)
        samples = decoded.samples
        if codec not in CELLS and exceeds(samples, self.pixels) and not self._shares_cells():
            if self.file.syntax.uid not in LOSSY:
                raise too_deep(samples, self.pixels)
            samples = cut_off(samples, self.pixels)
        return samples, decoded.photometric

    def _shares_cells(self) -> bool:
        """Whether other things lie in the cells: a high bit above the stored ones says so, or an overlay."""
        planes = overlays(self.header, self.pixels.bits_allocated)
        return self.pixels.high_bit >= self.pixels.bits_stored or any(plane.embedded_bit for plane in planes)


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame, not yet rendered.

    Attributes
    ----------
    number : int
        Counted from 1.
    samples : ndarray, shape (rows, columns[, samples])
        Cells as they lie in the file or as the codec gave them, unmasked; see `stored`.
    pixels : PixelFormat
        The format of `samples`.
    """

    instance: Instance
    number: int
    samples: Array
    pixels: PixelFormat

    @property
    def stored(self) -> Array:
        """Stored values: masked to Bits Stored and sign extended (PS3.5 8.1.1)."""
        return stored_values(self.samples, self.pixels)


def _spread(count: int) -> Iterator[int]:
    """Numbers of frames to sample: five from the first to the last, then others in place of those that are damaged."""
    first = {round(number) for number in np.linspace(1, count, min(count, _SAMPLED_FRAMES))}
    others = {round(number) for number in np.linspace(1, count, min(count, _TRIED_FRAMES))} - first
    yield from sorted(first)
    yield from sorted(others)


def _sample(frame: Frame, *, every_pixel: bool) -> Array:
    """Modality values of some of a frame's pixels, without padding."""
    step = 1 if every_pixel else max(1, int((frame.samples.size / _SAMPLED_PIXELS) ** 0.5))
    stored = stored_values(frame.samples[::step, ::step], frame.pixels)
    header = frame.instance.header
    return without(modality(header, frame.number)(stored), stored, padding(header))


def open_instance(source: str | os.PathLike[str] | bytes | BinaryIO, name: str | None = None) -> Instance:
    """Open a DICOM image without decoding it.

    Parameters
    ----------
    source : path, bytes or binary file
        A Part 10 file; preamble and meta information may be missing.
    name : str, optional
        What messages call it; the path by default.

    Raises
    ------
    NotDicomError, NotAnImage, ConversionError
        Each naming the file.

    References
    ----------
    PS3.10 7.1; PS3.3 C.7.6.3
    """
    return Instance(part10.read(source, name))


def frames(instance: Instance, numbers: Iterable[int] | None = None) -> Iterator[Frame]:
    """Decode frames one at a time; memory does not grow with their number.

    Parameters
    ----------
    numbers : iterable of int, optional
        Counted from 1; all frames by default.

    Raises
    ------
    ConversionError
        At the frame that cannot be decoded.
    """
    for number in range(1, instance.frame_count + 1) if numbers is None else numbers:
        yield instance.frame(number)
        instance.release(number)
