"""Pictures of an instance on disk: one a frame, an animation, or a contact sheet."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from converter.disk import appearing, write, written_at_ns
from converter.encoding import chunks, parts
from converter.errors import ConversionError
from converter.frame_times import frame_times_ms
from converter.instance import frames
from converter.layout import frame_stem
from converter.picture import png
from converter.picture.apng import write_apng
from converter.picture.owner import owner
from converter.picture.sheet import sheet
from converter.picture.webp import write_webp
from converter.presentation.state import presentation_state
from converter.rendering import render
from converter.results import THERE_ALREADY, Failure, Picture, Skipped, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from converter.arrays import Array
    from converter.instance import Frame, Instance
    from converter.options import Options
    from converter.rendering import Rendering
    from converter.results import Result


def pictures(instance: Instance, folder: Path, stem: str, options: Options, numbers: Sequence[int]) -> Iterator[Result]:
    """Write what the options ask for of an instance's frames.

    Parameters
    ----------
    numbers : sequence of int
        The frames, counted from 1 and rising; those that the pixel data does not hold are one failure.

    Yields
    ------
    Picture, Failure or Skipped
        One a frame, or one for an animation or sheet. A frame that fails is told and the others are made.
    """
    if not numbers:
        return
    there = numbers[: bisect_right(numbers, instance.frames_present)]
    if there and (options.cine or options.sheet):
        make = _sheet if options.sheet else _CINES[options.cine]
        suffix = "-sheet.png" if options.sheet else f"-cine.{_SUFFIXES[options.cine]}"
        yield _one(instance, folder / f"{stem}{suffix}", options, there, make)
    else:
        for number in there:
            path = folder / f"{frame_stem(stem, number, instance.frame_count)}.png"
            yield _one(instance, path, options, (number,), _still)
    if len(there) < len(numbers):
        yield _missing(instance, numbers[len(there)], numbers[-1])


def _missing(instance: Instance, first: int, last: int) -> Failure:
    """One failure for all frames that the pixel data does not hold; a header can promise a million."""
    try:
        instance.frame(first)
    except ConversionError as error:
        error.reason += f" (frames {first} to {last} are missing)" if last > first else ""
        return failure(error, instance.file.name)
    raise AssertionError("a frame beyond the last one was decoded")


def _one(
    instance: Instance,
    path: Path,
    options: Options,
    numbers: Sequence[int],
    make: Callable[[Instance, Path, Options, Sequence[int]], Rendering],
) -> Result:
    """Make one picture, unless it is there."""
    source = instance.file.name
    there = stays(path, options)
    if (there or options.untold_since_ns) and (other := owner(path)) not in (None, instance.sop_instance_uid):
        taken = f"its picture's name is taken by one of instance {other or 'without UID'}: {path}"
        return Failure(source, taken, numbers[0])
    if there:
        return Skipped(source, f"its picture is there already: {path}", THERE_ALREADY, numbers[0])
    started = perf_counter()
    try:
        rendering = make(instance, path, options, numbers)
    except ConversionError as error:
        error.at(frame=numbers[0])
        return failure(error, source)
    return Picture(
        source=source,
        sop_instance_uid=instance.sop_instance_uid,
        frame=numbers[0],
        path=path,
        window=rendering.window,
        window_source=rendering.window_source,
        bits=rendering.bits,
        rows=rendering.pixels.shape[0],
        columns=rendering.pixels.shape[1],
        milliseconds=(perf_counter() - started) * 1000,
        warnings=instance.file.warnings + rendering.warnings,
        frames=len(numbers),
    )


def stays(path: Path, options: Options) -> bool:
    """Whether a picture or document is there already and is not made again."""
    written_ns = None if options.replace else written_at_ns(path)
    return written_ns is not None and not 0 < options.untold_since_ns <= written_ns


def shown(frame: Frame, options: Options) -> Rendering:
    """A frame rendered as the options ask."""
    state = presentation_state(options.presentation) if options.presentation else None
    rendering = render(frame, options.window, options.bits, presentation=state, overlays=options.overlays)
    return rendering.squared() if options.square else rendering


def _still(instance: Instance, path: Path, options: Options, numbers: Sequence[int]) -> Rendering:
    for frame in frames(instance, numbers):
        rendering = shown(frame, options)
        write(path, parts(rendering, frame, options))
    return rendering


def _apng(instance: Instance, path: Path, options: Options, numbers: Sequence[int]) -> Rendering:
    first = next(frames(instance, numbers[:1]))
    rendering = shown(first, options)
    with appearing(path) as file:
        times = frame_times_ms(instance.header, numbers)
        pixels = _alike(rendering, instance, options, numbers)
        write_apng(file, pixels, times, chunks(rendering, first, options), small=options.small)
    return rendering


def _webp(instance: Instance, path: Path, options: Options, numbers: Sequence[int]) -> Rendering:
    rendering = shown(next(frames(instance, numbers[:1])), options)
    with appearing(path) as file:
        times = frame_times_ms(instance.header, numbers)
        write_webp(file, _alike(rendering, instance, options, numbers), times, small=options.small)
    return rendering


def _sheet(instance: Instance, path: Path, options: Options, numbers: Sequence[int]) -> Rendering:
    first = next(frames(instance, numbers[:1]))
    rendering = shown(first, options)
    page = sheet(_alike(rendering, instance, options, numbers), len(numbers))
    whole = replace(rendering, pixels=page, pixel_size=None)  # a sheet's pixels stand for several of the frames'
    write(path, png.parts(page, chunks(whole, first, options), small=options.small))
    return whole


def _alike(first: Rendering, instance: Instance, options: Options, numbers: Sequence[int]) -> Iterator[Array]:
    """The pixels of frames for one picture; a presentation state may show some of them otherwise.

    Raises
    ------
    ConversionError
        Where a frame is shown in another size or in colour where the first one is gray.
    """
    for number in numbers:
        frame = instance.frame(number)
        pixels = shown(frame, options).pixels
        instance.release(number)
        if pixels.shape != first.pixels.shape:
            raise ConversionError(
                "it is not shown in the size and colours of the first one; one picture cannot hold both",
                file=instance.file.name,
                frame=number,
            )
        yield pixels


_CINES = {"apng": _apng, "webp": _webp}
_SUFFIXES = {"apng": "png", "webp": "webp"}
