import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.figures.table.clusters import bin_membership, cluster_rows, select_timeline_tracks, select_typical
from omote.figures.table.tracks import read_features
from tests.figures.table.conftest import all_true, concatenate, make_face_set_rows, make_rows, wave


def blobs() -> pd.DataFrame:
    middles = np.repeat([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [60, 30, 10], axis=0)
    return make_rows("a.mp4", middles + np.random.default_rng(0).normal(size=(100, 3)))


def test_clusters_come_largest_first_and_their_rows_from_the_centre_outwards() -> None:
    features = read_features(blobs())
    found = cluster_rows(features, 3)
    assert [sorted(rows.tolist()) for rows in found] == [[*range(60)], [*range(60, 90)], [*range(90, 100)]]
    for rows in found:
        distances = np.linalg.norm(features.codes[rows] - features.codes[rows].mean(axis=0), axis=1)
        assert (np.diff(distances) >= -1e-5).all()
    assert select_typical(features, found[0], all_true(100))[0] == found[0][0]


def test_few_or_equal_codes_give_fewer_clusters_and_untrusted_rows_none() -> None:
    assert len(cluster_rows(read_features(make_rows("a.mp4", wave(6))), 9)) == 2
    assert len(cluster_rows(read_features(make_rows("a.mp4", np.repeat(np.eye(4), 20, axis=0))), 9)) == 4
    found = cluster_rows(read_features(make_rows("a.mp4", wave(40), trusted=np.arange(40) < 30)), 5)
    assert sorted(np.concatenate(found).tolist()) == list(range(30))


def test_the_timeline_of_a_cluster_shows_when_it_occurs() -> None:
    features = read_features(make_rows("a.mp4", wave(40), trusted=np.arange(40) < 30))
    (track,) = select_timeline_tracks(features)
    share = bin_membership(features, track, np.arange(10, 20), 0.0, 3.9, 4)
    np.testing.assert_allclose(share[:3], [0, 1, 0])
    assert np.isnan(share[3])


def test_short_clips_of_many_people_have_no_timeline(faces: FaceSet) -> None:
    features = read_features(make_face_set_rows(faces))
    assert features.of_face_set
    assert features.groups == faces.subjects
    assert (
        len(features.tracks)
        == len(faces.frames.groupby(["subject", "clip"]))
        == len(select_timeline_tracks(features))
    )
    many = [make_rows("x", wave(4)).assign(subject=f"{k:02d}", clip="joy") for k in range(30)]
    assert select_timeline_tracks(read_features(concatenate(*many))) == []
