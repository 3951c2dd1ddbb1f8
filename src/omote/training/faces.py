"""The faces of a training, wherever they lie."""

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omote.data.face_set import FaceSet
from omote.data.sampling import Indices

PART_OF_DEVICE = 0.5  # of a GPU's free memory that the faces may take
FACES_AT_ONCE = 4096  # that are copied there


class TrainingFaces:
    """The frames of a face set that are trained on, uint8 all the way: 29,085 faces of 64 px are 357 MB.

    On the CPU they stay in the memory map, so a set may be larger than memory: the system keeps in memory what there is
    room for. On a GPU they lie on the device where they take at most half of what is free there.
    """

    def __init__(self, face_set: FaceSet, rows: Indices, device: torch.device) -> None:
        self.faces: NDArray[np.uint8] = np.asarray(face_set.faces)  # still the map
        self.rows, self.device = rows, device
        self.there: Tensor | None = None
        if device.type == "cuda":
            size = len(rows) * self.faces[0].nbytes
            if size <= PART_OF_DEVICE * torch.cuda.mem_get_info(device)[0]:
                self.there = torch.empty((len(rows), *self.faces.shape[1:]), dtype=torch.uint8, device=device)
                for part in np.array_split(np.arange(len(rows)), -(-len(rows) // FACES_AT_ONCE)):
                    self.there[part[0] : part[-1] + 1] = torch.as_tensor(self.faces[rows[part]])
        self.file = (face_set.path / "faces.npy").open("rb")
        self.start = os.fstat(self.file.fileno()).st_size - self.faces.nbytes

    def close(self) -> None:
        """Close the file; the faces can be read all the same."""
        self.file.close()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return a copy of the (B, S, S, 3) faces of (B,) numbers of training frames."""
        rows, size = self.rows[numbers], self.faces[0].nbytes
        if hasattr(os, "posix_fadvise") and not self.file.closed:
            # ask for all at once: a page fault after the other, each reading far ahead, takes 80 times as long
            for row in rows.tolist():
                os.posix_fadvise(self.file.fileno(), self.start + row * size, size, os.POSIX_FADV_WILLNEED)
        return self.faces[rows]

    def to_device(self, numbers: Indices) -> Tensor:
        """Return the same as a tensor on the device."""
        if self.there is None:
            return send(self[numbers], self.device)
        return self.there[send(numbers, self.device)]


def send(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return the array as a tensor on the device; what a GPU computes just then is not waited for."""
    tensor = torch.as_tensor(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
