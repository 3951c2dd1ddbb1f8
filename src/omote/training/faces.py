"""Training faces: memory-mapped on a CPU, in GPU memory if they fit."""

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omote.data.face_set import FaceSet
from omote.data.sampling import Indices
from omote.errors import OmoteError

MEMORY_FRACTION = 0.5  # of a GPU's free memory that the faces may take
FACES_AT_ONCE = 4096  # number of faces copied to the GPU at once


class TrainingFaces:
    """The training frames of a face set, kept as uint8: 29,085 faces of 64 px are 357 MB.

    On a CPU they stay in the memory map, so a face set may be larger than memory; the system caches as much as fits. On
    a GPU they are copied to the device if they take at most half of its free memory.
    """

    def __init__(self, face_set: FaceSet, rows: Indices, device: torch.device) -> None:
        self.faces: NDArray[np.uint8] = np.asarray(face_set.faces)  # a view: still memory-mapped
        self.rows, self.device = rows, device
        self.file = (face_set.path / "faces.npy").open("rb")
        self.start = max(
            0, os.fstat(self.file.fileno()).st_size - self.faces.nbytes
        )  # of the faces in the file
        self.resident: Tensor | None = None  # the faces in GPU memory
        if device.type == "cuda":
            size = len(rows) * self.faces[0].nbytes
            if size <= MEMORY_FRACTION * torch.cuda.mem_get_info(device)[0]:
                shape = (len(rows), *self.faces.shape[1:])
                self.resident = torch.empty(shape, dtype=torch.uint8, device=device)
                for part in np.array_split(np.arange(len(rows)), -(-len(rows) // FACES_AT_ONCE)):
                    self.resident[part[0] : part[-1] + 1] = torch.as_tensor(self[part])

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, numbers: Indices) -> NDArray[np.uint8]:
        """Return a copy of the faces (B, S, S, 3) of training frames ``numbers`` (B,)."""
        rows, size = self.rows[numbers], self.faces[0].nbytes
        if (
            os.fstat(self.file.fileno()).st_size < self.start + self.faces.nbytes
        ):  # reading would end the process
            raise OmoteError(
                f"{self.file.name} was cut short during the training; prepare the face set again"
            )
        if hasattr(os, "posix_fadvise"):
            # request all rows at once; one page fault after the other, each with its readahead, takes 80 times as long
            for row in rows.tolist():
                os.posix_fadvise(self.file.fileno(), self.start + row * size, size, os.POSIX_FADV_WILLNEED)
        return self.faces[rows]

    def to_device(self, numbers: Indices) -> Tensor:
        """Return the same faces as a tensor on the device."""
        if self.resident is None:
            return send(self[numbers], self.device)
        return self.resident[send(numbers, self.device)]


def send(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return the array as a tensor on the device; a GPU copies it asynchronously."""
    tensor = torch.as_tensor(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
