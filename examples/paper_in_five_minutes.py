"""The paper in five minutes: Kanou & Nagao step by step, from the data to the figures, at the scale "tiny".

    python examples/paper_in_five_minutes.py             # writes paper_in_five_minutes/paper/report.html

Run the script as a whole, or cell by cell (# %%) in an editor that supports cells. At this scale every stage has only a
few dozen steps: the codes contain next to nothing, and the order of the rows means nothing. The script shows how the
parts fit together. `omote reproduce FACES --to DIR --scale small` does the same with enough steps to learn something;
--scale paper is the paper's training.
"""

# %% Data: faces with a subject id. Expressions are known because the faces are drawn; training never reads them.
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

# %% Tables 1 and 2: two encoders and a decoder; row 3 of Table 3 also has a discriminator.
config = row_config(ROWS[3], "paper", num_frames=len(faces), seed=0, test_subjects=[])
method = method_class("proposed")(128, config.options)
for name, network in method.named_children():
    print(f"{name}: {sum(p.numel() for p in network.parameters()):,} weights")

# %% Eqs. 1 to 5: each phase of a stage returns its objective as named, weighted terms, one number per image.
images = torch.tensor(np.array(faces.faces[:: len(faces) // 8][:8])).permute(0, 3, 1, 2).float() / 255
people = torch.arange(8)
batch = Batch(
    images=images,
    same_subject=images,  # x_rand_id; in training, a random image of the same person
    partner=people.roll(1),  # the person whose expression is transferred, for Eq. 4
    has_partner=torch.ones(8),
    subjects=people,
)
for stage in method.stages():
    print(f"\n{stage.name} stage, {stage.epochs} epochs")
    for phase in stage.phases:
        terms = {name: round(term.mean().item(), 2) for name, term in phase.terms(batch).items()}
        print(f"  {phase.name} minimises the sum of {terms}")

# %% Table 3 and Figures 3 to 5: train, score and draw all eight rows. A second run trains nothing again.
results = omote.reproduce(faces, folder / "paper", scale="tiny")
print("\nrow                              paper   here (train people, per cent)")
for row, accuracy, _ in results.rows:
    print(f"{row.number}  {row.title:<30}{row.train[0]:>5.1f}  {100 * accuracy['train'].value:>5.1f}")

# %% Which claims of the paper hold? At this scale the answer means nothing, as the report says.
for claim in judge_claims(results):
    print(claim.sentence)
print(f"\nOpen {folder / 'paper' / 'report.html'} in a browser.")
