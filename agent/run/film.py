"""An episode as a moving picture: what there was, what the model imagined, return and value."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from agent.errors import UserError
from agent.run.watched import Episode

FPS = 15
SMALLEST, LARGEST = 192, 256  # pixels of a picture's height, which is enlarged or reduced
MARGIN, LINE, CURVE = 8, 14, 48  # pixels
PAPER, INK, PALE, MARK = "white", "black", "#b0b0b0", "#d62728"


def frames(episode: Episode) -> Iterator[Image.Image]:
    """One frame for each step: the pictures, their captions, and the curve of the values."""
    columns = [episode.seen] if episode.imagined is None else [episode.seen, episode.imagined]
    width, height = _panel(episode.seen[0]).size
    pictures_at, text_at = MARGIN + LINE, height + 2 * MARGIN + LINE
    curve_at = text_at + LINE + MARGIN
    size = _even(len(columns) * (width + MARGIN) + MARGIN, curve_at + CURVE + MARGIN)
    curve = _curve(episode.values, MARGIN, size[0] - MARGIN, curve_at)
    for step, return_so_far in enumerate(episode.returns):
        frame = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(frame)
        captions = ["drawn by the environment"]
        if episode.imagined is not None:
            captions = ["observed", _looked(episode.ages[step])]
        for column, (pictures, caption) in enumerate(zip(columns, captions, strict=True)):
            left = MARGIN + column * (width + MARGIN)
            draw.text((left, MARGIN // 2), caption, INK)
            frame.paste(_panel(pictures[step]), (left, pictures_at))
        numbers = f"step {step}   return {return_so_far:.4g}   value {episode.values[step]:.3g}"
        draw.text((MARGIN, text_at), numbers, INK)
        draw.line(curve, PALE)
        draw.line(curve[: step + 1], MARK, width=2)
        yield frame


def suffix() -> str:
    """The best kind of file that can be written here."""
    return ".mp4" if find_spec("imageio_ffmpeg") else ".gif"


def check(file: Path) -> None:
    """UserError for a name of which no moving picture can be written here."""
    if file.suffix not in (".gif", ".mp4"):
        raise UserError(f"{file}: allowed: a name that ends in .gif or .mp4")
    if file.suffix == ".mp4" and suffix() != ".mp4":
        raise UserError(f"{file} misses the module imageio_ffmpeg: pip install imageio-ffmpeg")
    if not file.parent.is_dir():
        raise UserError(f"{file}: no folder {file.parent}")


def save(file: Path, pictures: Iterable[Image.Image]) -> None:
    """Write frames to a .gif file or, by imageio-ffmpeg, to an .mp4 file."""
    first, *others = pictures
    if file.suffix == ".gif":
        first.save(file, save_all=True, append_images=others, duration=1000 // FPS, loop=0)
        return
    from imageio_ffmpeg import write_frames

    writer = write_frames(str(file), first.size, fps=FPS, macro_block_size=2)
    writer.send(None)
    for picture in (first, *others):
        writer.send(picture.tobytes())
    writer.close()


def _panel(picture: np.ndarray) -> Image.Image:
    """A picture (H, W, 3) uint8 in a size to look at."""
    image = Image.fromarray(picture)
    if image.height > LARGEST:
        return image.resize((image.width * LARGEST // image.height, LARGEST))
    times = max(1, SMALLEST // image.height)
    return image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)


def _curve(values: np.ndarray, left: int, right: int, top: int) -> list[tuple[float, float]]:
    """The corners of the line of values (T,), from the lowest to the highest in CURVE pixels."""
    across = np.linspace(left, right, len(values))
    span = max(float(np.ptp(values)), 1e-6)
    down = top + CURVE * (values.max() - values) / span
    return list(zip(across.tolist(), down.tolist(), strict=True))


def _looked(age: int) -> str:
    return "seen by the model" if age == 0 else f"imagined, last look {age} steps ago"


def _even(*sides: int) -> tuple[int, ...]:
    """Sides that video codecs take."""
    return tuple(side + side % 2 for side in sides)
