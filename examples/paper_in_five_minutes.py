"""The paper in five minutes: a walk through Kanou & Nagao from the data to the figures, at the scale "tiny".

    python examples/paper_in_five_minutes.py             # writes paper_in_five_minutes/report.html

Each cell (# %%) runs on its own in an editor that knows cells, or all of them from top to bottom. At this scale every
stage gets some tens of steps, so the codes hold next to nothing and the order of the rows means nothing: it shows how
the parts fit. `omote reproduce FACES --to DIR --scale small` is the same with enough steps to learn something, and
--scale paper is the paper's training.
"""

# %% Data: faces with a subject id. The expression is known here because the faces are drawn; no training looks at it.
from pathlib import Path

import numpy as np
import torch

import omote
from omote.methods.method import Batch
from omote.methods.registry import method_class
from omote.reproduction.claims import judge_claims
from omote.reproduction.rows import ROWS, row_config

folder = Path("paper_in_five_minutes")
if (folder / "faces").is_dir():
    faces = omote.open_face_set(folder / "faces")
else:
    faces = omote.prepare_drawn(folder / "faces", subjects=15, mixtures=0, frames=4, size=128)
print(faces.frames[["subject", "clip", "frame", "expression", "use"]].head(4).to_string())
print(f"{len(faces)} faces of {len(faces.subjects)} people, {faces.size} px\n")

# %% Tables 1 and 2: two encoders and a decoder; row 3 of Table 3 has a discriminator too.
config = row_config(ROWS[3], "paper", num_frames=len(faces), seed=0, test_subjects=[])
method = method_class("proposed")(128, config.options)
for name, network in method.named_children():
    print(f"{name}: {sum(p.numel() for p in network.parameters()):,} weights")

# %% Eqs. 1 to 5: a stage's phases give the objective as named terms, one number an image, already weighted.
images = torch.tensor(np.array(faces.faces[:: len(faces) // 8][:8])).permute(0, 3, 1, 2).float() / 255
people = torch.arange(8)
batch = Batch(
    images=images,
    same_subject=images,  # x_rand_id; in a training a random image of the same person
    partner=people.roll(1),  # whose expression is put on, for Eq. 4
    has_partner=torch.ones(8),
    subjects=people,
)
for stage in method.stages():
    print(f"\n{stage.name} stage, {stage.epochs} epochs")
    for phase in stage.phases:
        terms = {name: round(term.mean().item(), 2) for name, term in phase.terms(batch).items()}
        print(f"  {phase.name} minimises the sum of {terms}")

# %% Table 3 and Figures 3 to 5: train, score and draw all eight rows. Run again, it trains nothing anew.
results = omote.reproduce(faces, folder / "paper", scale="tiny")
print("\nrow                              paper   here (train people, per cent)")
for row, accuracy, _ in results.rows:
    print(f"{row.number}  {row.title:<30}{row.train[0]:>5.1f}  {100 * accuracy['train'].value:>5.1f}")

# %% Which claims of the paper hold? At this scale the answer means nothing; the page says so too.
for claim in judge_claims(results):
    print(claim.sentence)
print(f"\nOpen {folder / 'paper' / 'report.html'} in a browser.")
