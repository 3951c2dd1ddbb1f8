"""The log of a training, read back from TensorBoard's files: each term by epoch, and the pictures after the stages."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from omote.boundary import reading


class Terms(NamedTuple):
    """One term of the objective, its mean over each epoch."""

    stage_number: int  # from 1
    stage: str
    name: str  # such as "generator/kl"
    values: "pd.Series[float]"  # by epoch, from 1


class TrainingLog(NamedTuple):
    """What a training has logged until now."""

    terms: list[Terms]  # in the order of the stages
    pictures: dict[int, bytes]  # stage number -> PNG: swaps, identity by column and expression by row


def read_log(run: str | Path) -> TrainingLog:
    """Return what the training of a run has logged until now; nothing if there is no log.

    Raises:
        OmoteError: If the log is damaged.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = Path(run) / "tensorboard"
    if not folder.is_dir():
        return TrainingLog([], {})
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    with reading(folder, "the log of a training", "Remove the folder; the run does not need it"):
        log = EventAccumulator(str(folder), size_guidance=everything)
        log.Reload()
        tags = log.Tags()
        terms = []
        for tag in tags["scalars"]:
            stage, _, name = tag.partition("/")
            number, _, stage = stage.partition("_")
            # of an epoch that was done twice, since the training was killed in between, the later one counts
            values = {event.step: event.value for event in log.Scalars(tag)}
            terms.append(Terms(int(number), stage, name, pd.Series(values, dtype=float).sort_index()))
        pictures = {
            event.step: event.encoded_image_string for tag in tags["images"] for event in log.Images(tag)
        }
    return TrainingLog(sorted(terms, key=lambda each: each.stage_number), pictures)
