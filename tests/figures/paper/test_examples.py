from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import About, FaceSet
from omote.data.outputs import Faces, Floats
from omote.errors import OmoteError
from omote.figures.paper.examples import Encode, choose_examples, choose_pairs, farthest_points


def face_set(*rows: tuple[str, str, str | None, str]) -> FaceSet:
    """Return a face set with the rows (subject, clip, expression, use)."""
    frames = pd.DataFrame(rows, columns=["subject", "clip", "expression", "use"])
    return FaceSet(Path("faces"), np.zeros((len(rows), 4, 4, 3), np.uint8), frames, About())


def clips(people: int, labels: tuple[str, ...], frames: int = 5) -> FaceSet:
    """Return clips whose last three frames are marked for evaluation and labelled."""
    return face_set(
        *(
            (
                f"{person}",
                label,
                label if frame >= frames - 3 else None,
                "both" if frame >= frames - 3 else "train",
            )
            for person in range(people)
            for label in labels
            for frame in range(frames)
        )
    )


SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def test_identities_are_neutral_frames_of_different_people() -> None:
    faces = clips(10, SEVEN)
    chosen = faces.frames.iloc[choose_examples(faces, faces.subjects, identities=6).identity]

    assert chosen["subject"].nunique() == 6
    assert set(chosen["expression"]) == {"neutral"}


def test_there_is_one_apex_frame_an_expression_neutral_first_and_of_other_people() -> None:
    faces = clips(10, SEVEN)
    examples = choose_examples(faces, faces.subjects, identities=6)
    chosen = faces.frames.iloc[examples.expression]

    assert chosen["expression"].tolist() == [
        "neutral",
        "anger",
        "disgust",
        "fear",
        "happiness",
        "sadness",
        "surprise",
    ]
    assert (chosen["use"] == "both").all()
    assert not set(chosen["subject"]) & set(faces.frames["subject"].iloc[examples.identity])
    assert chosen["subject"].nunique() == 4  # all that are left


def test_fewer_rows_than_expressions_are_spread_over_them() -> None:
    faces = clips(10, SEVEN)
    chosen = faces.frames.iloc[choose_examples(faces, faces.subjects, expressions=3).expression]
    assert chosen["expression"].tolist() == ["neutral", "fear", "surprise"]


def test_two_labels_can_fill_more_rows_with_more_people() -> None:
    faces = face_set(*((f"{p}", label, label, "both") for p in range(9) for label in ("Neutral", "smile")))
    examples = choose_examples(faces, faces.subjects, identities=4, expressions=4)

    assert set(faces.frames["expression"].iloc[examples.identity]) == {"Neutral"}
    chosen = faces.frames.iloc[examples.expression]
    assert chosen["expression"].tolist() == ["Neutral", "smile"] * 2
    assert chosen["subject"].nunique() == 4


def test_without_labels_different_frames_are_shown() -> None:
    faces = face_set(*((f"{p}", f"{c}", None, "train") for p in range(4) for c in range(3) for _ in range(5)))
    examples = choose_examples(faces, faces.subjects, identities=2)

    assert len(examples.identity) == 2
    assert len(set(examples.expression)) == 6
    assert not set(examples.expression) & set(examples.identity)
    assert faces.frames["clip"].iloc[examples.expression].nunique() == 3


@pytest.mark.parametrize("people", [1, 2, 3])
def test_few_people_are_enough(people: int) -> None:
    faces = clips(people, SEVEN)
    examples = choose_examples(faces, faces.subjects)

    assert len(examples.identity) == max(1, people - 1)
    assert set(faces.frames["expression"].iloc[examples.expression]) == set(SEVEN)


def test_only_the_people_asked_for_are_shown_and_the_choice_is_the_same_every_time() -> None:
    faces = clips(10, SEVEN)
    first, second = (choose_examples(faces, subjects) for subjects in (["3", "5", "8"], ["8", "3", "5"]))

    assert set(faces.frames["subject"].iloc[np.concatenate(first)]) == {"3", "5", "8"}
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_pairs_go_from_neutral_to_another_persons_expression() -> None:
    faces = clips(10, SEVEN)
    sources, targets = (faces.frames.iloc[rows] for rows in choose_pairs(faces, faces.subjects, pairs=3))

    assert sources["expression"].tolist() == ["neutral"] * 3
    assert targets["expression"].nunique() == 3
    assert "neutral" not in set(targets["expression"])
    assert not set(sources["subject"]) & set(targets["subject"])


def test_people_who_are_not_there_and_numbers_below_one_are_refused() -> None:
    faces = clips(2, SEVEN)
    with pytest.raises(OmoteError, match="no face of 77"):
        choose_examples(faces, ["77"])
    with pytest.raises(OmoteError, match="1 or more"):
        choose_examples(faces, faces.subjects, identities=0)


def test_far_points_start_at_the_one_nearest_to_0_and_each_is_the_farthest_from_those_before() -> None:
    points = np.array([[1.0, 0], [9, 0], [0, 4], [8, 0], [-6, 0]])
    # from (1, 0): 8 to (9, 0); then 7 to (-6, 0); then of (0, 4) and (8, 0) the nearest chosen is 4.12 and 1 away
    assert farthest_points(points, 4).tolist() == [0, 1, 4, 2]
    assert farthest_points(points, 99).tolist() == [0, 1, 4, 2, 3]


def test_equal_points_are_chosen_once() -> None:
    assert farthest_points(np.array([[1.0], [1], [3], [3]]), 4).tolist() == [0, 2]
    assert farthest_points(np.zeros((3, 2)), 2).tolist() == [0]
    assert farthest_points(np.zeros((0, 2)), 2).tolist() == []


def coded(people: list[list[float]]) -> tuple[FaceSet, Encode]:
    """Return an unlabelled face set of these people's frames, and codes: those of a person are far from the others'."""
    faces = face_set(*((f"{p}", "clip", None, "train") for p, own in enumerate(people) for _ in own))
    faces.faces[:, 0, 0, 0] = np.arange(len(faces))
    table = np.array([[1000.0 * p, value] for p, own in enumerate(people) for value in own], np.float32)
    return faces, lambda chosen: table[chosen[:, 0, 0, 0]]


def test_without_labels_expressions_are_far_apart_in_code_whoever_shows_them() -> None:
    plain_person = [0.0, 2, -2]
    faces, encode = coded([plain_person, [-1, 10, -9, 0, 0], plain_person, [1, -1, -8, 8, 0]])
    examples = choose_examples(faces, faces.subjects, identities=2, expressions=3, encode=encode)

    assert examples.identity.tolist() == [0, 15]  # people 0 and 3, each as plain as they get
    assert examples.expression.tolist() == [
        6,
        4,
        5,
    ]  # of people 1 and 2: nearest to the mean, then 10, then -9


def test_people_with_one_frame_show_no_expression_unless_everybody_has_one() -> None:
    faces, encode = coded([[0.0, 1, -1], [50.0], [0, 3, -3], [70.0]])
    examples = choose_examples(faces, faces.subjects, identities=1, expressions=9, encode=encode)
    assert set(faces.frames["subject"].iloc[examples.expression]) == {"2"}

    faces, encode = coded([[0.0], [1.0], [5.0]])
    assert (
        len(choose_examples(faces, faces.subjects, encode=encode).expression) == 1
    )  # two people have a column
    faces, encode = coded([[3.0]])
    assert choose_examples(faces, faces.subjects, encode=encode).expression.tolist() == [0]


def test_labels_count_more_than_codes() -> None:
    faces = clips(4, SEVEN)

    def encode(chosen: Faces) -> Floats:
        raise AssertionError

    with_codes = choose_examples(faces, faces.subjects, encode=encode)
    for a, b in zip(with_codes, choose_examples(faces, faces.subjects), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_labels_pairs_lead_away_from_the_plainest_face() -> None:
    faces, encode = coded([[0.0, 2, -2], [0.5, 10, -9, -1.5], [0.0, 1, -1]])
    sources, targets = choose_pairs(faces, ["0", "1"], pairs=1, encode=encode)
    assert (sources.tolist(), targets.tolist()) == ([0], [4])
