import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from omote.metrics.clustering import (
    CLUSTERING_SCORES,
    LabelledFeatures,
    clustering_scores,
    paper_accuracy,
    run_kmeans,
)
from omote.metrics.score import Score

EXPRESSIONS = np.array(
    ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "calm"]
)


def grouped(images: int = 180, noise: float = 1e-3, width: int = 8) -> LabelledFeatures:
    """Nine points, one an expression, with a little noise."""
    labels = np.tile(EXPRESSIONS, images // 9)
    features = 10 * np.eye(9, width + 1)[np.tile(np.arange(9), images // 9)]
    return LabelledFeatures(features + noise * np.random.default_rng(0).normal(size=features.shape), labels)


def mixed(images: int = 300) -> LabelledFeatures:
    """Features that know a little of the expression: scores between chance and 1."""
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=images)
    return LabelledFeatures(rng.normal(size=(images, 5)) + 2.0 * np.eye(4, 5)[truth], EXPRESSIONS[truth])


def scores_of(
    scored: LabelledFeatures, *, fitted_on: LabelledFeatures | None = None, **settings: int
) -> dict[str, Score]:
    """The scores of a set, of clusters fitted on itself or on another."""
    if fitted_on is None:
        return clustering_scores(run_kmeans(scored, **settings)).scores
    return clustering_scores(run_kmeans(fitted_on, **settings), scored).scores


def values(scores: dict[str, Score]) -> npt.NDArray[np.float64]:
    return np.array([score[:3] for score in scores.values()])


def test_one_point_an_expression_is_perfect_in_every_run() -> None:
    scores = scores_of(grouped(), seeds=20)
    assert {name: round(score.value, 6) for name, score in scores.items()} == dict.fromkeys(
        CLUSTERING_SCORES, 1
    )
    assert all(score.deviation < 1e-9 and not score.reason for score in scores.values())


def test_names_of_clusters_by_hand() -> None:
    # Clusters {0, 1, 2} and {100 .. 104}: the image in the middle of each is the one nearest the centroid.
    features = np.array([[0], [1], [2], [100], [101], [102], [103], [104]], dtype=np.float32)
    scores = scores_of(LabelledFeatures(features, list("babbbabb")), k=2, seeds=5)
    assert scores["accuracy"].value == pytest.approx((1 + 1) / 8)  # a, a
    assert scores["majority_accuracy"].value == pytest.approx((2 + 4) / 8)  # b, b
    assert scores["one_to_one_accuracy"].value == pytest.approx((1 + 4) / 8)  # a, b
    assert scores["ari"].value == pytest.approx((7 - 13 * 16 / 28) / ((13 + 16) / 2 - 13 * 16 / 28))
    counts = np.array([[1, 2], [1, 4]]) / 8
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    shared = (counts * np.log(counts / np.outer(rows, columns))).sum()
    mean_entropy = -((rows * np.log(rows)).sum() + (columns * np.log(columns)).sum()) / 2
    assert scores["nmi"].value == pytest.approx(shared / mean_entropy)


def test_the_share_of_runs_that_name_an_image_rightly_by_hand() -> None:
    features = np.array([[0], [1], [2], [100], [101], [102], [103], [104]], dtype=np.float32)
    scores, right = clustering_scores(run_kmeans(LabelledFeatures(features, list("babbbabb")), k=2, seeds=5))
    np.testing.assert_array_equal(right, [0, 1, 0, 0, 0, 1, 0, 0])  # both clusters are called a
    assert scores["accuracy"].value == right.mean()


def test_right_images_are_counted_over_the_runs_that_make_the_score() -> None:
    train, test = mixed(), LabelledFeatures(mixed().features[:50] + 0.5, mixed().labels[:50])
    runs = run_kmeans(train, k=4, seeds=6)
    for scores, right in (clustering_scores(runs), clustering_scores(runs, test)):
        assert scores["accuracy"].value == pytest.approx(right.mean())
        np.testing.assert_allclose(right * 6, np.round(right * 6), atol=1e-12)
        assert ((right > 0) & (right < 1)).any()  # the runs differ
    assert clustering_scores(runs, test).right.shape == (50,)


def test_the_papers_accuracy_alone_is_the_one_among_all_scores() -> None:
    assert paper_accuracy(mixed(), k=4, seeds=5) == scores_of(mixed(), k=4, seeds=5)["accuracy"]


def test_a_cluster_without_a_partner_is_wrong_one_to_one() -> None:
    features = np.array([[0], [0.1], [50], [50.1], [100]], dtype=np.float32)
    scores = scores_of(LabelledFeatures(features, list("aaaab")), k=3, seeds=3)
    assert scores["accuracy"].value == 1
    assert scores["majority_accuracy"].value == 1
    assert scores["one_to_one_accuracy"].value == pytest.approx(3 / 5)


def test_chance_of_random_features_is_as_predicted_and_reached() -> None:
    rng = np.random.default_rng(0)
    images, k = 400, 9
    labels = EXPRESSIONS[rng.choice(3, p=[0.5, 0.3, 0.2], size=images)]
    scores = scores_of(LabelledFeatures(rng.normal(size=(images, 16)), labels), k=k)
    counts = np.unique(labels, return_counts=True)[1]
    same = (counts * (counts - 1)).sum() / (images * (images - 1))  # two images share a label
    expected = (
        k + (images - k) * same
    ) / images  # the naming image is right itself, whatever the clusters' sizes
    assert scores["accuracy"].chance == pytest.approx(expected, abs=0.02)
    assert scores["ari"].chance == pytest.approx(0, abs=0.005)
    for score in scores.values():
        assert score.value == pytest.approx(score.chance, abs=0.03)


def test_chance_deals_labels_by_clip() -> None:
    # Five frames of a clip in one place: a clip's frames share their cluster whatever the code knows.
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(30), 5)
    labels = EXPRESSIONS[rng.integers(6, size=30)][clips]
    features = rng.normal(size=(30, 8))[clips] + 1e-3 * rng.normal(size=(150, 8))
    by_clip = scores_of(LabelledFeatures(features, labels, clips))["accuracy"]
    by_frame = scores_of(LabelledFeatures(features, labels))["accuracy"]
    assert by_clip.value == by_frame.value
    assert by_clip.chance > by_frame.chance + 0.1
    assert by_clip.value == pytest.approx(by_clip.chance, abs=0.06)


def test_fitted_on_train_names_the_test_images_of_the_same_points() -> None:
    train = grouped(180)
    test = LabelledFeatures(train.features[5:32], train.labels[5:32])
    swapped = LabelledFeatures(test.features, np.where(test.labels == "fear", "anger", test.labels))
    perfect = scores_of(test, fitted_on=train, seeds=5)
    assert all(score.value == pytest.approx(1) for score in perfect.values())
    assert scores_of(swapped, fitted_on=train, seeds=5)["accuracy"].value == pytest.approx(24 / 27)


def test_fitted_on_itself_is_the_same_as_fitted_on_the_set() -> None:
    alone, applied = (scores_of(mixed(), seeds=4, fitted_on=on) for on in (None, mixed()))
    for name in CLUSTERING_SCORES:
        assert alone[name].value == pytest.approx(applied[name].value)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_rotation_shift_and_new_names_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels, _ = grouped(90, noise=0.5)
    moved = features @ ortho_group.rvs(features.shape[1], random_state=seed) + rng.normal(
        size=features.shape[1]
    )
    renamed = rng.permutation(EXPRESSIONS)[np.searchsorted(np.sort(EXPRESSIONS), labels)]
    before = values(scores_of(LabelledFeatures(features, labels), seeds=3))
    after = values(scores_of(LabelledFeatures(moved, renamed), seeds=3))
    np.testing.assert_allclose(before[:, :2], after[:, :2], atol=1e-9)


def test_ari_does_not_depend_on_names_and_agrees_with_scikit_learn() -> None:
    labelled = mixed()
    ours = scores_of(labelled, seeds=1, k=4)["ari"].value
    clusters = KMeans(4, n_init=1, random_state=0).fit(labelled.features).labels_
    assert ours == pytest.approx(adjusted_rand_score(clusters, labelled.labels))
    assert ours == pytest.approx(adjusted_rand_score((clusters + 2) % 4, labelled.labels))


def test_same_input_same_scores_and_one_run_has_no_deviation() -> None:
    np.testing.assert_array_equal(values(scores_of(mixed(), seeds=3)), values(scores_of(mixed(), seeds=3)))
    assert np.isnan(scores_of(mixed(), seeds=1)["accuracy"].deviation)


def test_mean_and_deviation_are_those_of_the_runs() -> None:
    # The runs of n seeds are the first n of more: the third run follows from two means.
    two, three = (scores_of(mixed(), k=7, seeds=n)["accuracy"] for n in (2, 3))
    first = scores_of(mixed(), k=7, seeds=1)["accuracy"].value
    runs = [first, 2 * two.value - first, 3 * three.value - 2 * two.value]
    assert three.deviation == pytest.approx(np.std(runs, ddof=1))


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        (np.zeros((0, 4)), [], "no images"),
        (np.ones((20, 4)), list("ab") * 10, "collapsed"),
        (1 + 1e-9 * np.random.default_rng(0).normal(size=(20, 4)), list("ab") * 10, "collapsed"),
        (np.zeros((20, 0)), list("ab") * 10, "no numbers"),
        (np.full((20, 4), np.nan), list("ab") * 10, "NaN"),
        (np.eye(20), ["a"] * 20, "same expression"),
        (np.eye(6), list("ababab"), "6 images are fewer than 9 clusters"),
        (
            np.tile(np.eye(4), (5, 1)),
            list("ab") * 10,
            "fewer different features than clusters (4 of 9 found)",
        ),
    ],
)
def test_what_cannot_be_scored_is_nan_with_its_reason(
    features: npt.NDArray[np.float64], labels: list[str], reason: str
) -> None:
    scores, right = clustering_scores(run_kmeans(LabelledFeatures(features, labels), seeds=2))
    assert right.shape == (len(labels),)
    assert np.isnan(right).all()
    for score in scores.values():
        assert np.isnan(score[:3]).all()
        assert reason in score.reason


def test_a_set_to_fit_on_that_cannot_be_clustered_is_named() -> None:
    nothing = LabelledFeatures(np.zeros((0, 9)), [])
    assert (
        scores_of(grouped(), fitted_on=nothing)["nmi"].reason == "in the set fitted on, there are no images"
    )


def test_wrong_lengths_and_missing_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="19 expression labels"):
        scores_of(LabelledFeatures(np.eye(20), ["a"] * 19))
    with pytest.raises(ValueError, match="labels are missing"):
        scores_of(LabelledFeatures(np.eye(3), ["a", None, "b"]))


@pytest.mark.parametrize("steps", [0, 1])
def test_runs_side_by_side_are_scikit_learns_runs_one_after_another(steps: int) -> None:
    """Also of features that are whole numbers, where many distances tie."""
    fitted = mixed(400)
    fitted = fitted._replace(features=fitted.features.round() if steps else fitted.features)
    wide = fitted.features.astype(np.float64)
    runs = run_kmeans(fitted, k=4, seeds=3).runs
    for seed, (model, nearest) in enumerate(runs):
        plain = KMeans(4, n_init=1, random_state=seed).fit(wide)
        np.testing.assert_array_equal(model.labels_, plain.labels_)
        for cluster, image in enumerate(nearest):
            distances = np.linalg.norm(wide - plain.cluster_centers_[cluster], axis=1)
            distances[plain.labels_ != cluster] = np.inf
            assert distances[image] == pytest.approx(distances.min())
