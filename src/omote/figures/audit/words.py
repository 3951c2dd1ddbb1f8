"""What the page of an audit says: what every score means, what every table asks, and how its sentences begin."""

from typing import Literal, NamedTuple

Unit = Literal["percent", "number", "count"]
PEOPLE = {  # by what an audit's table calls them, in the order of the page
    "test": "people held out",
    "everyone": "everyone",
    "train": "people of the training",
}


class Asked(NamedTuple):
    """How one score is shown and explained."""

    head: str
    name: str  # below the head, where it has several
    aim: str  # what is wanted, of which code
    meaning: str
    unit: Unit = "percent"


ONLY_WHO = "z_e low, z_i high"
ONLY_WHAT = "z_e high, z_i low"
ACTION_UNITS_ONLY = "z_e high, low, low"
FIRST_ONLY = "high, low, ceiling"
SCORES = {
    "subject_nearest_neighbour": Asked(
        "Nearest code", "any", ONLY_WHO,
        "How often the nearest code of another clip is the same person’s."
    ),
    "subject_nearest_neighbour_across_expressions": Asked(
        "Nearest code", "across", ONLY_WHO,
        "The same among codes of other expressions. A code that holds the expression too is not let off by "
        "somebody else with the same face on.",
    ),
    "subject_probe_linear": Asked(
        "Probe", "linear", ONLY_WHO,
        "How often a logistic regression, fitted on other clips of the same people, names the person. A code of the "
        "expression alone falls below chance where a person shows each expression in one clip.",
    ),
    "subject_probe_mlp": Asked(
        "Probe", "network", ONLY_WHO,
        "The same with a small network, which also reads what no straight line parts.",
    ),
    "eer": Asked(
        "Errors", "EER", "z_e 50, z_i 0",
        "Two images pass as one person’s if their codes are near enough. The share of wrong answers where as many "
        "strangers pass as pairs of one person are refused; 50 if the code knows nobody.",
    ),
    "tar_at_far_1e-2": Asked(
        "Recognised", "at 1\u00a0%", ONLY_WHO,
        "The share of pairs of one person that pass while 1 % of the strangers do (TAR at FAR 1e-2).",
    ),
    "tar_at_far_1e-3": Asked(
        "Recognised", "at 0.1\u00a0%", ONLY_WHO,
        "The same while 0.1 % of the strangers pass.",
    ),
    "kl": Asked(
        "Posterior", "KL", "",
        "Divergence of the posterior from the prior in nats, mean over the images. Near 0 the code has collapsed: "
        "what a probe still reads from its mean is lost in a sample.",
        "count",
    ),
    "active_units": Asked(
        "Posterior", "active", "",
        "How many numbers of the code vary over the images (variance of the mean above 0.01).",
        "count",
    ),
    "accuracy": Asked(
        "Clusters", "", ONLY_WHAT,
        "The paper’s score: the codes are put into groups without looking at any label (k-means), each group is "
        "named after the face nearest its centre; the share of faces that this names rightly.",
    ),
    "expression_probe": Asked(
        "Linear probe", "", ONLY_WHAT,
        "How often a logistic regression, fitted on other people, names the expression.",
    ),
    "precision_at_1": Asked(
        "Others nearby", "nearest", ONLY_WHAT,
        "How often the nearest code of another person shows the same expression.",
    ),
    "precision_at_5": Asked(
        "Others nearby", "of\u00a05", ONLY_WHAT,
        "The share of the five nearest codes of other people that do.",
    ),
    "precision_at_10": Asked(
        "Others nearby", "of\u00a010", ONLY_WHAT,
        "The share of the ten nearest that do.",
    ),
    "r2_au": Asked(
        "R² across people", "action units", ACTION_UNITS_ONLY,
        "How much of the variance of the true action units a linear readout explains on people it was not fitted "
        "on, mean over the units: 1 is all of it, 0 what guessing their mean gives; below 0 the readout misleads.",
        "number",
    ),
    "r2_id": Asked(
        "R² across people", "identity", ACTION_UNITS_ONLY,
        "The same of the factors that make a person.",
        "number",
    ),
    "r2_nuisance": Asked(
        "R² across people", "nuisance", ACTION_UNITS_ONLY,
        "The same of pose, light and whatever else is neither.",
        "number",
    ),
    "dci_disentanglement": Asked(
        "DCI", "D", "high",
        "Disentanglement: whether each number of the code serves one action unit. This and the next, MIG and SAP "
        "reward a code whose axes are the factors, which the paper’s methods do not ask for; chance is the same code "
        "turned at random.",
        "number",
    ),
    "dci_completeness": Asked(
        "DCI", "C", "high",
        "Completeness: whether each action unit needs one number of the code only.",
        "number",
    ),
    "dci_informativeness": Asked(
        "DCI", "I", "high",
        "Informativeness: R² of the action units as above, with a lasso.",
        "number",
    ),
    "mig": Asked(
        "Gap", "MIG", "high",
        "How much more the best number tells about an action unit than the second, in mutual information.",
        "number",
    ),
    "sap": Asked(
        "Gap", "SAP", "high",
        "The same in R² of a regression on a single number.",
        "number",
    ),
    "order": Asked(
        "Along a clip", "order", "z_e high",
        "Rank correlation between the order of the frames and their distance from the clip’s first, up to the apex.",
        "number",
    ),
    "straightness": Asked(
        "Along a clip", "straight", "z_e high",
        "Distance from the first frame to the apex over the length of the way. Chance is the same frames shuffled.",
        "number",
    ),
    "smoothness": Asked(
        "Along a clip", "smooth", "z_e high",
        "Mean cosine of successive steps: 1 straight on, 0 a random walk, −½ noise round a point. Chance likewise.",
        "number",
    ),
    "path_agreement": Asked(
        "Between people", "agreement", "z_e above chance",
        "Mean cosine between the directions in which two people’s clips of one expression go. Chance is that of "
        "clips of different expressions: what lies above it is of the expression.",
        "number",
    ),
    "evenness": Asked(
        "Interpolation", "even", "high",
        "For equal steps in the code, the mean step in the image over the largest: 1 if all are alike, least for a "
        "single jump.",
        "number",
    ),
    "directness": Asked(
        "Interpolation", "direct", "high",
        "The difference of the two end images over the sum of the steps. Low if the images have little to do with "
        "each other, which makes steps even too; parts that move keep it below 1.",
        "number",
    ),
    "expression_read_back": Asked(
        "Expression read", "source’s", FIRST_ONLY,
        "A probe of the judge’s expression code, fitted on real images of other people, names the expression that "
        "was put on.",
    ),
    "expression_kept_from_target": Asked(
        "Expression read", "target’s", FIRST_ONLY,
        "It names the expression that the face had before.",
    ),
    "expression_read_back_ceiling": Asked(
        "Expression read", "unswapped", FIRST_ONLY,
        "It names the source’s expression in the source’s own image: more cannot be asked of a swap.",
    ),
    "identity_read_back": Asked(
        "Person read", "target’s", FIRST_ONLY,
        "Among everyone’s mean in the judge’s identity code, the nearest is that of the person who was to stay.",
    ),
    "identity_of_source": Asked(
        "Person read", "source’s", FIRST_ONLY,
        "It is that of the person whom the expression came from.",
    ),
    "identity_read_back_ceiling": Asked(
        "Person read", "unswapped", FIRST_ONLY,
        "It is the right one for a real image.",
    ),
}  # fmt: skip


class Section(NamedTuple):
    """One table of the page: the groups of scores in it, what stands above it, and the pictures below."""

    title: str
    groups: tuple[str, ...]
    before: str
    pictures: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "Who it is",
        ("identity", "posterior"),
        "An expression code (z_e) should not tell who it is; an identity code (z_i) should tell exactly that.",
        ("leakage", "maps"),
    ),
    Section(
        "Which expression",
        ("expression",),
        "An expression code should tell the expression, also of people whom nothing was fitted on; an identity "
        "code should not. Expression labels also go into the nearest code across expressions, the agreement between "
        "people, and what is swapped, interpolated and read back.",
    ),
    Section(
        "The true factors",
        ("factors",),
        "These faces were made, so every action unit, trait and disturbance in them is known.",
        ("action_units",),
    ),
    Section(
        "Along clips",
        ("continuity",),
        "A continuous code moves as the face does. None of these scores stands alone: what drifts slowly moves in "
        "order too, and what jumps is straight. Compare with the rows that nobody trained.",
        ("paths",),
    ),
    Section(
        "Swapped images, read back",
        ("swap",),
        "The expression of one image (the source) was put on another person’s (the target), and a judge reads the "
        "result.",
    ),
)

PICTURES = {
    "leakage": (
        "How far each code gives the person away",
        "Solid: from the mean of the posterior; pale: from a sample of it. Whiskers: 95 % intervals over people. "
        "Dashed: chance. The figures are of the mean.",
    ),
    "maps": (
        "Where the faces lie",
        "One dot a face, on the two axes along which the code varies most. The same map coloured by expression and "
        "by person.",
    ),
    "action_units": (
        "Each action unit, read from each code",
        "R² on people whom the readout was not fitted on; the darker, the more. Below 0 it misleads.",
    ),
    "paths": (
        "The ways of the clips",
        "From the first frame of a clip (small dot) to its apex (large dot). At the left where they are, at the "
        "right each less its first frame: lines of one colour that go one way are the same expression of "
        "different people.",
    ),
}


class Sentence(NamedTuple):
    """A sentence about one score: "words 61 % of the images link code"."""

    score: str
    words: str  # {judge}: who reads swapped images
    link: str
    of: str = ""  # what a percentage is of
    beside: tuple[str, ...] = (
        "pixels + PCA",
    )  # the first of these that there is stands beside expression codes


class Question(NamedTuple):
    """What the page answers: yes of a code if an interval of the first `judged` sentences lies above chance."""

    words: str
    about: Literal["expression code", "identity code", "swap"]
    sentences: tuple[Sentence, ...]
    judged: int = 1


IMAGES = " of the images"
PROBE_OF_PERSON = Sentence("subject_probe_linear", "A linear probe names the person", "from", IMAGES)
PROBE_OF_EXPRESSION = Sentence(
    "expression_probe", "A linear probe that was fitted on other people names it", "from", IMAGES
)
QUESTIONS = (
    Question(
        "Does the expression code tell who it is?",
        "expression code",
        (
            PROBE_OF_PERSON,
            Sentence(
                "subject_nearest_neighbour_across_expressions",
                "The nearest code of another expression is the same person’s",
                "for",
                IMAGES,
            ),
        ),
        judged=2,  # either way in is a leak, and the probe can be misled by the expression
    ),
    Question(
        "Does it tell the expression?",
        "expression code",
        (
            PROBE_OF_EXPRESSION,
            Sentence("accuracy", "Clusters made without labels, the paper’s score, name it", "from", IMAGES),
        ),
    ),
    Question(
        "Does it hold the action units?",
        "expression code",
        (Sentence("r2_au", "Read from people not fitted on, the action units have a mean R² of", "from"),),
    ),
    Question(
        "Does it move with the expression?",
        "expression code",
        (
            Sentence(
                "path_agreement",
                "Different people’s clips of one expression go one way with a mean cosine of",
                "in",
            ),
            Sentence(
                "order",  # near 1 for any code that drifts, so that it decides nothing
                "Anything that drifts moves in order: order of the frames and distance from a clip’s first have a "
                "rank correlation of",
                "in",
                beside=("random network", "pixels + PCA"),
            ),
        ),
    ),
    Question("Does the identity code tell who it is?", "identity code", (PROBE_OF_PERSON,)),
    Question("Does the identity code tell the expression?", "identity code", (PROBE_OF_EXPRESSION,)),
    Question(
        "Do swaps carry the expression over?",
        "swap",
        (
            Sentence(
                "expression_read_back",
                "{judge} reads the source’s expression off the swapped image",
                "for",
                " of the swaps",
            ),
            Sentence("expression_read_back_ceiling", "It reads it off the source’s own image", "for"),
            Sentence(
                "identity_read_back", "It takes the swapped image for the person who was to stay", "for"
            ),
        ),
    ),
)
