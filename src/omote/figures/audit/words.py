"""The texts of an audit page: what each score means, what each table shows, and the sentences of the findings."""

from typing import Literal, NamedTuple

Unit = Literal["percent", "number", "count"]
PEOPLE = {  # as in an audit's table -> as on the page, in the order of the page
    "test": "people held out",
    "everyone": "everyone",
    "train": "training people",
}


class ScoreText(NamedTuple):
    """How one score is shown and explained."""

    head: str
    name: str  # below the head, where several scores share it
    aim: str  # the desired value, by code
    meaning: str
    unit: Unit = "percent"


ONLY_WHO = "z_e low, z_i high"
ONLY_WHAT = "z_e high, z_i low"
ACTION_UNITS_ONLY = "z_e high, low, low"
FIRST_ONLY = "high, low, ceiling"
SCORES = {
    "subject_nearest_neighbour": ScoreText(
        "Nearest code", "any", ONLY_WHO,
        "How often the nearest code from another clip belongs to the same person.",
    ),
    "subject_nearest_neighbour_across_expressions": ScoreText(
        "Nearest code", "across", ONLY_WHO,
        "The same, searched among codes of other expressions only. Otherwise a code that also holds the expression "
        "would look better than it is, because its nearest code is often somebody else with the same expression.",
    ),
    "subject_probe_linear": ScoreText(
        "Probe", "linear", ONLY_WHO,
        "How often a logistic regression, fitted on other clips of the same people, names the person. Where each "
        "person shows each expression in one clip only, a code of the expression alone scores below chance.",
    ),
    "subject_probe_mlp": ScoreText(
        "Probe", "network", ONLY_WHO,
        "The same with a small neural network, which also finds differences that are not linear.",
    ),
    "eer": ScoreText(
        "Errors", "EER", "z_e 50, z_i 0",
        "Two images are accepted as one person if their codes are close enough. The error rate at the threshold where "
        "as many pairs of strangers are accepted as pairs of one person are rejected (equal error rate); 50 if the "
        "code knows nobody.",
    ),
    "tar_at_far_1e-2": ScoreText(
        "Recognised", "at 1\u00a0%", ONLY_WHO,
        "The share of pairs of one person that are accepted while 1 % of the pairs of strangers are (TAR at FAR 1e-2).",
    ),
    "tar_at_far_1e-3": ScoreText(
        "Recognised", "at 0.1\u00a0%", ONLY_WHO,
        "The same while 0.1 % of the pairs of strangers are accepted.",
    ),
    "kl": ScoreText(
        "Posterior", "KL", "",
        "Divergence of the posterior from the prior in nats, mean over the images. Near 0 the code has collapsed: "
        "what a probe still reads from the mean is lost in a sample.",
        "count",
    ),
    "active_units": ScoreText(
        "Posterior", "active", "",
        "How many dimensions of the code vary over the images (variance of the mean above 0.01).",
        "count",
    ),
    "second_moment": ScoreText(
        "Posterior", "second moment", "",
        "Mean square of the numbers of the code. The prior has 1: with more, its samples lie between the codes, "
        "where the decoder was never trained.",
        "number",
    ),
    "directions": ScoreText(
        "Posterior", "directions", "",
        "Effective number of directions in which the codes vary.",
        "count",
    ),
    "accuracy": ScoreText(
        "Clusters", "", ONLY_WHAT,
        "The paper’s score: k-means groups the codes without seeing any label, and each group is named after the face "
        "nearest its centre. The share of faces that get the right name.",
    ),
    "expression_probe": ScoreText(
        "Linear probe", "", ONLY_WHAT,
        "How often a logistic regression, fitted on other people, names the expression.",
    ),
    "precision_at_1": ScoreText(
        "Others nearby", "nearest", ONLY_WHAT,
        "How often the nearest code of another person shows the same expression.",
    ),
    "precision_at_5": ScoreText(
        "Others nearby", "of\u00a05", ONLY_WHAT,
        "The share of the five nearest codes of other people that show the same expression.",
    ),
    "precision_at_10": ScoreText(
        "Others nearby", "of\u00a010", ONLY_WHAT,
        "The same for the ten nearest.",
    ),
    "r2_au": ScoreText(
        "R² across people", "action units", ACTION_UNITS_ONLY,
        "How much of the variance of the true action units a linear readout explains for people it was not fitted on, "
        "mean over the units. 1: all of it; 0: no more than guessing the mean; below 0: worse than that.",
        "number",
    ),
    "r2_id": ScoreText(
        "R² across people", "identity", ACTION_UNITS_ONLY,
        "The same for the factors that define a person.",
        "number",
    ),
    "r2_nuisance": ScoreText(
        "R² across people", "nuisance", ACTION_UNITS_ONLY,
        "The same for pose, light and all other factors.",
        "number",
    ),
    "dci_disentanglement": ScoreText(
        "DCI", "D", "high",
        "Disentanglement: whether each dimension of the code depends on a single action unit. DCI, MIG and SAP reward "
        "codes whose axes are the factors, which the paper’s methods do not aim for; chance is the same code, randomly "
        "rotated.",
        "number",
    ),
    "dci_completeness": ScoreText(
        "DCI", "C", "high",
        "Completeness: whether a single dimension of the code is enough for each action unit.",
        "number",
    ),
    "dci_informativeness": ScoreText(
        "DCI", "I", "high",
        "Informativeness: R² of the action units as above, with a lasso.",
        "number",
    ),
    "mig": ScoreText(
        "Gap", "MIG", "high",
        "How much more the best dimension tells about an action unit than the second best, in mutual information.",
        "number",
    ),
    "sap": ScoreText(
        "Gap", "SAP", "high",
        "The same in R² of a regression on a single dimension.",
        "number",
    ),
    "order": ScoreText(
        "Along a clip", "order", "z_e high",
        "Rank correlation between the order of the frames and their distance from the clip’s first frame, up to the "
        "apex.",
        "number",
    ),
    "straightness": ScoreText(
        "Along a clip", "straight", "z_e high",
        "Distance from the first frame to the apex, divided by the length of the path. Chance: the same frames "
        "shuffled.",
        "number",
    ),
    "smoothness": ScoreText(
        "Along a clip", "smooth", "z_e high",
        "Mean cosine between successive steps: 1 for a straight line, 0 for a random walk, −½ for noise around a "
        "point. Chance: the same frames shuffled.",
        "number",
    ),
    "path_agreement": ScoreText(
        "Between people", "agreement", "z_e above chance",
        "Mean cosine between the directions of different people’s clips of one expression. Chance: clips of different "
        "expressions, so what exceeds it is due to the expression.",
        "number",
    ),
    "evenness": ScoreText(
        "Interpolation", "even", "high",
        "For equal steps in the code, the mean step in the image divided by the largest: 1 if all are equal, lowest "
        "for a single jump.",
        "number",
    ),
    "directness": ScoreText(
        "Interpolation", "direct", "high",
        "The difference between the two end images, divided by the sum of the steps. Low if the images have little to "
        "do with each other, which also makes the steps even; moving parts keep it below 1.",
        "number",
    ),
    "expression_read_back": ScoreText(
        "Expression read", "source’s", FIRST_ONLY,
        "How often a probe of the judge’s expression code, fitted on real images of other people, finds the source’s "
        "expression in the swapped image.",
    ),
    "expression_kept_from_target": ScoreText(
        "Expression read", "target’s", FIRST_ONLY,
        "How often it finds the expression that the target had before.",
    ),
    "expression_read_back_ceiling": ScoreText(
        "Expression read", "unswapped", FIRST_ONLY,
        "How often it finds the source’s expression in the source’s own image: a swap can hardly do better.",
    ),
    "identity_read_back": ScoreText(
        "Person read", "target’s", FIRST_ONLY,
        "How often, of all people’s mean identity codes as the judge reads them, the target’s is nearest to the "
        "swapped image.",
    ),
    "identity_of_source": ScoreText(
        "Person read", "source’s", FIRST_ONLY,
        "How often the source’s is nearest.",
    ),
    "identity_read_back_ceiling": ScoreText(
        "Person read", "unswapped", FIRST_ONLY,
        "How often the right person’s is nearest to a real image.",
    ),
}  # fmt: skip


class ScoreTable(NamedTuple):
    """One table of the page: its groups of scores, the paragraph above it, and the pictures below."""

    title: str
    groups: tuple[str, ...]
    introduction: str
    pictures: tuple[str, ...] = ()


TABLES = (
    ScoreTable(
        "Who it is",
        ("identity", "posterior"),
        "An expression code (z_e) should not reveal who it is; an identity code (z_i) should reveal exactly that.",
        ("leakage", "maps"),
    ),
    ScoreTable(
        "Which expression",
        ("expression",),
        "An expression code should reveal the expression, also for people whom no probe was fitted on; an identity "
        "code should not. “Across”, “agreement”, swaps and interpolations also use expression labels.",
    ),
    ScoreTable(
        "The true factors",
        ("factors",),
        "These faces are synthetic, so every action unit, trait and disturbance in them is known.",
        ("action_units",),
    ),
    ScoreTable(
        "Along clips",
        ("continuity",),
        "A continuous code moves as the face does. No single score shows that: slow drift is also in order, and a jump "
        "is also straight. Compare with the untrained baselines.",
        ("paths",),
    ),
    ScoreTable(
        "Swapped images, read back",
        ("swap",),
        "The model puts the expression of one image (the source) on another person (the target), and a judge reads "
        "expression and person from the result.",
        ("prior",),
    ),
)

PICTURES = {  # name -> title, caption
    "leakage": (
        "How strongly each code identifies the person",
        "Solid: from the mean of the posterior; pale: from a sample of it. Whiskers: 95 % intervals over people. "
        "Dashed: chance. The numbers belong to the mean.",
    ),
    "maps": (
        "Where the faces lie",
        "Each dot is a face, on the two axes along which the code varies most. The same map is coloured by expression "
        "and by person.",
    ),
    "action_units": (
        "Each action unit, read from each code",
        "R² for people whom the readout was not fitted on: the darker, the higher. Below 0 it is worse than guessing "
        "the mean.",
    ),
    "prior": (
        "Faces of random codes",
        "Each is decoded from an identity and an expression code that were drawn from the prior, N(0, I). If these are "
        "no faces, the codes of real faces do not fill the prior.",
    ),
    "paths": (
        "The paths of the clips",
        "From the first frame of a clip (small dot) to its apex (large dot). Left: where the paths lie. Right: each "
        "minus its first frame; lines of one colour with one direction are the same expression shown by different "
        "people.",
    ),
}


class Sentence(NamedTuple):
    """A sentence about one score: "text 61 % of the images link code"."""

    score: str
    text: str  # {judge}: who reads the swapped images
    link: str
    unit: str = ""  # follows the first percentage
    baselines: tuple[str, ...] = (
        "pixels + PCA",
    )  # the first available one is compared with expression codes


class Question(NamedTuple):
    """A question of the page.

    It is answered yes for a code if the interval of one of the first `judged` sentences lies above chance.
    """

    text: str
    about: Literal["expression code", "identity code", "swap"]
    sentences: tuple[Sentence, ...]
    judged: int = 1


IMAGES = " of the images"
PROBE_OF_PERSON = Sentence("subject_probe_linear", "A linear probe names the person", "from", IMAGES)
PROBE_OF_EXPRESSION = Sentence(
    "expression_probe", "A linear probe, fitted on other people, names it", "from", IMAGES
)
QUESTIONS = (
    Question(
        "Does the expression code reveal who it is?",
        "expression code",
        (
            PROBE_OF_PERSON,
            Sentence(
                "subject_nearest_neighbour_across_expressions",
                "The nearest code of another expression belongs to the same person",
                "for",
                IMAGES,
            ),
        ),
        judged=2,  # either is a leak: the expression can mislead the probe
    ),
    Question(
        "Does it reveal the expression?",
        "expression code",
        (
            PROBE_OF_EXPRESSION,
            Sentence("accuracy", "Clusters found without labels, the paper’s score, name it", "from", IMAGES),
        ),
    ),
    Question(
        "Does it hold the action units?",
        "expression code",
        (
            Sentence(
                "r2_au",
                "Predicted for people not used in fitting, the action units have a mean R² of",
                "from",
            ),
        ),
    ),
    Question(
        "Does it move with the expression?",
        "expression code",
        (
            Sentence(
                "path_agreement",
                "Different people’s clips of one expression point the same way with a mean cosine of",
                "in",
            ),
            Sentence(
                "order",  # near 1 for any code that drifts, so it decides nothing
                "Any drift is in order, too: frame order and distance from a clip’s first frame have a rank "
                "correlation of",
                "in",
                baselines=("random network", "pixels + PCA"),
            ),
        ),
    ),
    Question("Does the identity code reveal who it is?", "identity code", (PROBE_OF_PERSON,)),
    Question("Does the identity code reveal the expression?", "identity code", (PROBE_OF_EXPRESSION,)),
    Question(
        "Do swaps carry the expression over?",
        "swap",
        (
            Sentence(
                "expression_read_back",
                "{judge} finds the source’s expression in the swapped image",
                "for",
                " of the swaps",
            ),
            Sentence("expression_read_back_ceiling", "It finds it in the source’s own image", "for"),
            Sentence("identity_read_back", "It recognises the target person in the swapped image", "for"),
        ),
    ),
)
