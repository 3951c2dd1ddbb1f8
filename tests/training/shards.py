"""Take one step of every stage of every method under torchrun, and write the gradients to a file.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/training/shards.py gradients.safetensors
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from omote.methods.method import Batch
from omote.methods.registry import METHODS, method_class
from omote.training.fabric import make_fabric
from omote.training.processes import shard_batches
from omote.training.step import begin_stage, encode_frozen, take_step

OPTIONS = {"width": 8, "latent_size": 6}
FRAMES, SUBJECTS = 7, (0, 0, 0, 1, 1, 2, 2)  # an odd number: shards of 4 and 3


def main(to: Path) -> None:
    """Write ``method/stage/parameter`` for every gradient, and ``.../running`` for the statistics of BatchNorm."""
    fabric = make_fabric("cpu", "32-true")
    images, same = torch.rand(2, FRAMES, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found: dict[str, torch.Tensor] = {}
    for name, cls in ((name, method_class(name)) for name in METHODS):
        options = cls.Options.model_validate(OPTIONS)
        for number in range(len(cls(64, options, 3).stages())):
            torch.manual_seed(1)
            method = cls(64, options, 3)  # a new one, because a step of Adam enlarges rounding errors
            shard_batches(method)
            stage = method.stages()[number]
            optimisers = begin_stage(method, stage)
            batch = Batch(
                images, same, torch.arange(FRAMES).roll(2), torch.ones(FRAMES), torch.tensor(SUBJECTS)
            )
            batch.cached_posteriors = encode_frozen(stage, images)
            take_step(fabric, stage, optimisers, batch)
            gradients = {key: p.grad for key, p in method.named_parameters() if p.grad is not None}
            running = {key: value for key, value in method.named_buffers() if value.is_floating_point()}
            found |= {f"{name}/{number}/{key}": value.clone() for key, value in (gradients | running).items()}
    if fabric.is_global_zero:
        save_file(found, to)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
