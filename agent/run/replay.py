"""Replay on disk: an append-only log of rows in segment files, of which the newest `capacity` are
live.

Nothing is ever overwritten: rows written after a checkpoint lie behind the rows that the checkpoint
relies on, and a segment is deleted only when neither of the two checkpoints that are kept needs it.
Reads and writes go through the page cache without mapping the files, so the memory of the process
does not grow with the replay.
"""

import os
import shutil
import zlib
from bisect import bisect_right
from errno import ENOSPC
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from agent.errors import UserError

SEGMENT_BYTES = 128 * 2**20


class Replay:
    """First in, first out by steps; row t holds the action that led to observation t and the reward
    received with it.

    Each segment is a `.npy` file of structured rows, readable with `np.load(path, mmap_mode="r")`.
    """

    def __init__(self, folder: Path, observation_space: Box, actions: int, capacity: int):
        """Start empty, for `actions` action dimensions; the files of an unfinished start stay."""
        self.folder = Path(folder)
        self.capacity = capacity
        self.row = np.dtype(
            [
                ("obs", observation_space.dtype, observation_space.shape),
                ("action", np.float32, (actions,)),
                ("reward", np.float32),
                ("is_first", np.bool_),
                ("is_terminal", np.bool_),
            ]
        )
        self.segment_rows = max(1, min(capacity // 8, SEGMENT_BYTES // self.row.itemsize))
        self._header = _header(self.row, self.segment_rows)
        self.end = 0  # rows ever written
        self.starts: list[int] = []  # first row of every live episode, and perhaps of older ones
        self._kept_from = 0  # oldest row that the last checkpoint relies on
        self._files: dict[int, int] = {}  # file descriptor of each open segment
        self._checksums: dict[int, int] = {}  # of the rows of each segment

    def __len__(self) -> int:
        """Live rows: steps and resets."""
        return min(self.end, self.capacity)

    @property
    def oldest(self) -> int:
        """Number of the oldest live row."""
        return self.end - len(self)

    def disk_bytes(self, steps: int, checkpoint_every: int) -> int:
        """Most bytes of a run on disk at once; checkpoints are at most two intervals of
        `checkpoint_every` agent steps apart."""
        rows = min(self.capacity + 4 * checkpoint_every + self.segment_rows, 2 * steps)
        return rows * self.row.itemsize

    def add(
        self, obs: np.ndarray, action: np.ndarray, reward: float, is_first: bool, is_terminal: bool
    ) -> None:
        """Append a row, of a reset with zero action and reward; OSError when the disk is full."""
        if is_first:
            self.starts.append(self.end)
        row = np.array((obs, action, reward, is_first, is_terminal), self.row).tobytes()
        descriptor, offset = self._locate(self.end, create=True)
        if os.pwrite(descriptor, row, offset) != len(row):
            raise OSError(ENOSPC, f"a row of {len(row)} bytes was cut off", self.folder)
        segment = self.end // self.segment_rows
        self._checksums[segment] = zlib.crc32(row, self._checksums.get(segment, 0))
        self.end += 1

    def sample(self, batch: int, length: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Sequences (batch, length, ...) of live rows, the episode under way included.

        A row is drawn uniformly from all. In an episode of at least `length` rows it stands for all
        of these: an episode is drawn uniformly among them, then the start is the smaller of a
        uniform row and the last start that fits, as in the official code. Otherwise it is the start
        on the ring that joins the shorter episodes in their order, each marked `is_first` where a
        sequence runs on into it. So rows of short episodes are equally frequent, and as frequent as
        those of long ones on average. Of a long episode of n rows that was drawn, row t is in the
        sequence with probability (min(t, n - L) - max(0, t - L + 1) + 1 + (L - 1) [t >= n - L]) / n
        with L = `length`: less often at its start, and up to twice as often at its end.
        """
        rows = np.empty((batch, length), self.row)
        begins, ends = self._episodes()
        fits = ends - begins >= length
        long, short = (np.stack([begins[kind], ends[kind]], 1) for kind in (fits, ~fits))
        offsets = np.cumsum(np.append(0, short[:, 1] - short[:, 0]))  # of short ones on their ring
        for sequence in rows:
            drawn = int(rng.integers(len(self)))
            if drawn < offsets[-1]:
                self._read_ring(drawn, sequence, short, offsets)
            else:
                begin, end = long[rng.integers(len(long))]
                self._read(min(int(rng.integers(begin, end)), int(end) - length), sequence)
        return {name: torch.from_numpy(rows[name].copy()) for name in self.row.names}

    def _read_ring(
        self, drawn: int, rows: np.ndarray, episodes: np.ndarray, offsets: np.ndarray
    ) -> None:
        """Fill `rows` from position `drawn` of the ring of `episodes` [begin, end), which starts
        over after the last one."""
        index = int(np.searchsorted(offsets, drawn, "right")) - 1
        skipped, filled = drawn - int(offsets[index]), 0
        while filled < len(rows):
            begin, end = episodes[index]
            part = rows[filled : filled + int(end - begin) - skipped]
            self._read(int(begin) + skipped, part)
            if filled:
                part["is_first"][0] = True
                part["action"][0] = 0.0
            filled += len(part)
            index, skipped = (index + 1) % len(episodes), 0

    def _episodes(self) -> tuple[np.ndarray, np.ndarray]:
        """First live row and end of every episode that has a live row, oldest first."""
        starts = np.array(self.starts[self._oldest_episode() :])
        return np.maximum(starts, self.oldest), np.append(starts[1:], self.end)

    def _oldest_episode(self) -> int:
        """Index of the oldest episode that has a live row."""
        return max(0, bisect_right(self.starts, self.oldest) - 1)

    def _read(self, position: int, rows: np.ndarray) -> None:
        while len(rows):
            part = rows[: self.segment_rows - position % self.segment_rows]
            descriptor, offset = self._locate(position)
            if os.preadv(descriptor, [part.view(np.uint8).data], offset) != part.nbytes:
                raise UserError(f"{self._path(position // self.segment_rows)} is cut off")
            position, rows = position + len(part), rows[len(part) :]

    def _locate(self, position: int, create: bool = False) -> tuple[int, int]:
        """File descriptor and byte offset of a row."""
        segment, index = divmod(position, self.segment_rows)
        if segment not in self._files:
            self._files[segment] = self._open(self._path(segment), create)
        return self._files[segment], len(self._header) + index * self.row.itemsize

    def _open(self, path: Path, create: bool) -> int:
        """Open a segment, or create it, of full size, with holes that take no disk space."""
        if create and not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")  # a kill may come between
            with partial.open("wb") as file:
                file.write(self._header)
                file.truncate(len(self._header) + self.segment_rows * self.row.itemsize)
            os.replace(partial, path)
        return os.open(path, os.O_RDWR)

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:06d}.npy"

    def flush(self) -> None:
        """Make the rows durable, before the checkpoint that relies on them is written."""
        for descriptor in self._files.values():
            os.fsync(descriptor)

    def commit(self) -> None:
        """Delete what neither the checkpoint just written nor the one before it needs."""
        needed, self._kept_from = self._kept_from, self.oldest
        for path in self.folder.glob("*.npy"):
            segment = int(path.stem)
            if (segment + 1) * self.segment_rows <= needed:
                if segment in self._files:
                    os.close(self._files.pop(segment))
                self._checksums.pop(segment, None)
                path.unlink()
        del self.starts[: self._oldest_episode()]

    def state_dict(self) -> dict:
        """Position, live episodes and checksums of their segments; the rows are on disk."""
        return {
            "end": self.end,
            "starts": torch.tensor(self.starts[self._oldest_episode() :], dtype=torch.int64),
            "rows": str(self.row),
            "checksums": {number: self._checksums[number] for number in self._live_segments()},
        }

    def load_state_dict(self, state: dict) -> None:
        """Cut the replay back to a checkpoint; UserError for other rows, and for a segment that is
        missing or was changed."""
        if state["rows"] != str(self.row):
            raise UserError(
                f"{self.folder} holds rows of {state['rows']}, this run needs {self.row}"
            )
        self.end, self.starts = state["end"], state["starts"].tolist()
        self._kept_from = self.oldest
        self._checksums = dict(state["checksums"])
        for segment in self._live_segments():
            path, rows = self._path(segment), self.end - segment * self.segment_rows
            if not path.exists():
                raise UserError(f"{path} is missing: the run cannot resume without its replay")
            with path.open("rb") as file:
                file.seek(len(self._header))
                content = file.read(min(rows, self.segment_rows) * self.row.itemsize)
            if zlib.crc32(content) != self._checksums[segment]:
                raise UserError(f"{path} is not as the checkpoint left it: restore it")

    def _live_segments(self) -> range:
        return range(self.oldest // self.segment_rows, -(-self.end // self.segment_rows))

    def delete(self) -> None:
        """Close the replay and delete its folder."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Close the segment files."""
        while self._files:
            os.close(self._files.popitem()[1])


def _header(row: np.dtype, rows: int) -> bytes:
    """What a `.npy` file of so many rows starts with."""
    file = BytesIO()
    layout = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, layout)
    return file.getvalue()
