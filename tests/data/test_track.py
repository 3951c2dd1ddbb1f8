"""Tracking on synthetic videos of drawn faces, photos and rendered heads, with known identities."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from omote.data.detect import Face, find_only_face
from omote.data.face_set import BOX, LANDMARKS, FaceSet
from omote.data.images import read_photo
from omote.data.track import MAX_AWAY, MAX_DISTANCE, Tracker, describe_appearance
from omote.synthetic.rendered import Appearance, Head, Nuisance, read_face_model

Shown = tuple[np.ndarray, Face]  # a picture of a face, and where the face is in it
HERE, THERE, BELOW = (40, 30), (400, 30), (220, 160)  # x and y of the upper left corner of a picture


def moved(face: Face, x: int, y: int) -> Face:
    return Face(face.score, np.add(face.box, (x, y, 0, 0)), np.add(face.landmarks, (x, y)))


def scene(*people: tuple[Shown, tuple[int, int]]) -> tuple[np.ndarray, list[Face]]:
    """Return a picture with faces at places, later ones in front, and the faces, the highest box first."""
    height, width = people[0][0][0].shape[:2] if people else (64, 64)
    image = np.full((160 + height, 400 + width + 40, 3), 150, np.uint8)
    faces = []
    for (picture, face), (x, y) in people:
        image[y : y + height, x : x + width] = picture
        faces.append(moved(face, x, y))
    return image, sorted(faces, key=lambda face: -face.box[3])


def drawn(faces: FaceSet, subject: int, frame: int = 0) -> Shown:
    """Return a frame of the first clip of a drawn person."""
    row = 8 * subject + frame
    values = faces.frames.iloc[row]
    box, landmarks = (values[list(names)].to_numpy(float) for names in (BOX, LANDMARKS))
    return faces.faces[row], Face(1.0, box, landmarks.reshape(5, 2))


def test_new_faces_get_the_next_numbers_in_their_order(faces: FaceSet) -> None:
    tracker = Tracker()
    image, found = scene((drawn(faces, 0), HERE), (drawn(faces, 1), THERE))
    assert tracker.follow(image, found) == [0, 1]
    assert tracker.follow(image, found[::-1]) == [1, 0]
    image, found = scene((drawn(faces, 2), BELOW), (drawn(faces, 0), HERE), (drawn(faces, 1), THERE))
    ids = tracker.follow(image, found)
    new = [id for id, face in zip(ids, found, strict=True) if face.box[1] > BELOW[1]]
    assert sorted(ids) == [0, 1, 2]
    assert new == [2]


def test_a_frame_without_faces_gets_no_numbers(faces: FaceSet) -> None:
    tracker = Tracker()
    assert tracker.follow(*scene()) == []
    assert tracker.follow(*scene((drawn(faces, 0), HERE))) == [0]
    assert tracker.follow(*scene()) == []
    assert tracker.follow(*scene((drawn(faces, 0), HERE))) == [0]


def test_a_face_keeps_its_number_when_it_moves_or_comes_back_elsewhere(faces: FaceSet) -> None:
    tracker = Tracker()
    for step in range(12):
        assert tracker.follow(*scene((drawn(faces, 3, step % 4), (40 + 8 * step, 30 + 4 * step)))) == [0]
    for _ in range(10):
        tracker.follow(*scene())
    assert tracker.follow(*scene((drawn(faces, 3), THERE))) == [0]


def test_two_people_who_swap_places_between_frames_keep_their_numbers(faces: FaceSet) -> None:
    tracker, one, other = Tracker(), drawn(faces, 0), drawn(faces, 1)
    first = tracker.follow(*scene((one, HERE), (other, THERE)))
    assert tracker.follow(*scene((one, THERE), (other, HERE))) == first


def test_another_person_in_the_same_place_gets_another_number(faces: FaceSet) -> None:
    tracker = Tracker()
    assert [tracker.follow(*scene((drawn(faces, subject), HERE))) for subject in (0, 1, 2, 0)] == [
        [0],
        [1],
        [2],
        [0],
    ]
    tracker.follow(*scene())
    assert tracker.follow(*scene((drawn(faces, 3), HERE))) == [3]


def video(faces: FaceSet) -> list[tuple[np.ndarray, list[Face]]]:
    people = [[(k % 3, HERE), (3, THERE)] if k % 4 else [(4, BELOW)] for k in range(24)]
    return [
        scene(*((drawn(faces, subject, k % 4), place) for subject, place in now))
        for k, now in enumerate(people)
    ]


def test_a_tracker_restored_from_its_state_goes_on_as_without_a_stop(faces: FaceSet) -> None:
    whole, stopped = Tracker(), Tracker()
    for image, found in video(faces):
        stopped = Tracker.from_state(json.loads(json.dumps(stopped.state())))
        assert stopped.follow(image, found) == whole.follow(image, found)
    assert stopped.state() == whole.state()


def test_a_state_is_not_changed_by_later_frames(faces: FaceSet) -> None:
    tracker = Tracker()
    tracker.follow(*scene((drawn(faces, 0), HERE)))
    state = tracker.state()
    kept = json.dumps(state)
    tracker.follow(*scene((drawn(faces, 0), THERE), (drawn(faces, 1), HERE)))
    assert json.dumps(state) == kept


def stranger(number: int) -> Shown:
    """Return a square of random colours, more unlike the others than people are."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    picture = np.asarray(cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_NEAREST))
    return picture, Face(
        1.0, np.array([8.0, 4, 48, 56]), np.array([[20.0, 24], [44, 24], [32, 36], [24, 46], [40, 46]])
    )


def test_tracks_away_longest_are_evicted_so_that_memory_does_not_grow() -> None:
    tracker = Tracker()
    for number in range(3 * MAX_AWAY):
        assert tracker.follow(*scene((stranger(number), HERE))) == [number]
    assert len(tracker.state()["tracks"]) == MAX_AWAY + 1
    assert tracker.follow(*scene((stranger(3 * MAX_AWAY - 5), HERE))) == [3 * MAX_AWAY - 5]
    assert tracker.follow(*scene((stranger(0), HERE))) == [3 * MAX_AWAY]


def test_people_in_view_keep_their_numbers_even_if_they_are_more_than_the_limit() -> None:
    places = [(64 * column, 64 * row) for row in range(5) for column in range(8)]
    people = [stranger(number) for number in range(len(places))]
    image = np.zeros((320, 512, 3), np.uint8)
    for (x, y), (picture, _) in zip(places, people, strict=True):
        image[y : y + 64, x : x + 64] = picture
    found = [moved(face, x, y) for (x, y), (_, face) in zip(places, people, strict=True)]
    assert len(found) > MAX_AWAY
    tracker = Tracker()
    for _ in range(3):
        assert tracker.follow(image, found) == list(range(len(found)))


def test_darker_light_changes_the_descriptor_less_than_another_person_does(faces: FaceSet) -> None:
    image, face = drawn(faces, 0)
    darker = (0.8 * image).astype(np.uint8)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.linalg.norm(one.astype(float) - other) / 255)

    own, others = (
        describe_appearance(image, face),
        [describe_appearance(*drawn(faces, subject)) for subject in range(1, 5)],
    )
    assert (
        apart(own, describe_appearance(darker, face))
        < MAX_DISTANCE
        < min(apart(own, other) for other in others)
    )


def test_a_head_that_turns_and_smiles_keeps_its_number(model_file: Path) -> None:
    model = read_face_model(model_file)
    head = Head(model, np.zeros(100), Appearance())
    smile = np.array([float(name.startswith("mouthSmile")) for name in head.names])
    tracker = Tracker()
    for step in range(24):
        now = Nuisance(
            yaw=35 * np.sin(step / 2.5),
            pitch=10 * np.sin(step),
            roll=8 * np.cos(step),
            scale=0.7,
            shift_x=0.01 * step,
        )
        rendered = head.render(smile * (step % 6 > 2), now, 96)
        assert tracker.follow(rendered.image, [Face(1.0, rendered.box, rendered.landmarks)]) == [0]


# Photos of the people with even numbers, who were not used to set the tracker's constants


@pytest.fixture(scope="module")
def people(london: Path, detector: Path) -> list[tuple[Shown, Shown]]:
    """The neutral and the smiling photo of each person with an even number, at a quarter of their size."""

    def shown(file: Path) -> Shown:
        image = np.asarray(cv2.resize(read_photo(file), (192, 192), interpolation=cv2.INTER_AREA))
        face = find_only_face(image, detector)
        assert isinstance(face, Face)
        return image, face

    neutral = sorted(file for file in london.glob("*_03.jpg") if int(file.name[:3]) % 2 == 0)
    return [(shown(file), shown(file.with_name(file.name.replace("_03", "_08")))) for file in neutral]


def test_people_are_recognised_elsewhere_and_rarely_confused(
    people: list[tuple[Shown, Shown]],
) -> None:
    missed, mistaken = 0, 0
    for index, (neutral, smiling) in enumerate(people):
        tracker = Tracker()
        tracker.follow(*scene((neutral, HERE)))
        missed += tracker.follow(*scene((smiling, THERE))) != [0]
        for _, other in people[:index]:
            tracker = Tracker()
            tracker.follow(*scene((neutral, HERE)))
            mistaken += tracker.follow(*scene((other, THERE))) == [0]
    assert missed <= 0.04 * len(people)
    assert mistaken <= 0.01 * len(people) * (len(people) - 1) / 2


def test_people_who_stay_are_never_lost_and_others_in_their_place_are_mostly_noticed(
    people: list[tuple[Shown, Shown]],
) -> None:
    mistaken = 0
    for index, (neutral, smiling) in enumerate(people):
        tracker = Tracker()
        steps = [tracker.follow(*scene((shown, HERE))) for shown in (neutral, smiling, neutral, smiling)]
        assert steps == [[0]] * 4
        for _, other in people[:index]:
            tracker = Tracker()
            tracker.follow(*scene((neutral, HERE)))
            mistaken += tracker.follow(*scene((other, HERE))) == [0]
    assert mistaken <= 0.12 * len(people) * (len(people) - 1) / 2


def crossing(one: Sequence[Shown], other: Sequence[Shown], step: int) -> tuple[np.ndarray, list[Face]]:
    """Return a frame of two people who pass each other, the second in front; a covered face is not detected."""
    places = (10 + 30 * step, 60), (370 - 30 * step, 40)
    image, found = scene((one[step % 2], places[0]), (other[step // 2 % 2], places[1]))
    return image, [face for face in found if abs(places[0][0] - places[1][0]) > 150] or found[:1]


def test_two_people_who_pass_each_other_keep_their_numbers(people: list[tuple[Shown, Shown]]) -> None:
    for one, other in zip(people[:20:2], people[1:20:2], strict=True):
        tracker = Tracker()
        seen = []
        for step in range(13):
            image, found = crossing(one, other, step)
            ids = tracker.follow(image, found)
            seen.append({id: face.box[0] for id, face in zip(ids, found, strict=True)})
        first, last = seen[0], seen[-1]
        assert set(first) == set(last) == {0, 1}
        assert (first[0] < first[1]) != (last[0] < last[1])
