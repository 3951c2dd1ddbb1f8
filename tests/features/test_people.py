"""Who the rows of a table show."""

import pandas as pd
import pytest

from omote.errors import OmoteError
from omote.features.people import list_names, name_people


def rows(*sources: str, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"source": sources, "frame": 0, "face": 0, **columns})


def test_the_column_person_comes_first_and_rows_without_a_name_are_left_out() -> None:
    people = name_people(rows("x/a.jpg", "y/b.jpg", "y/c.jpg", person=["ann", None, "bob"]))
    assert people.names.tolist()[::2] == ["ann", "bob"]
    assert people.names.isna().tolist() == [False, True, False]
    assert people.how == "the column person"
    assert people.left_out == {"without a name in the column person": 1}


def test_folders_name_people_and_face_0_is_the_person() -> None:
    table = rows("all/ann/a.mp4", "all/ann/a.mp4", "all/bob/day1/b.mp4", face=[0, 1, 0])
    people = name_people(table)
    assert people.names.tolist()[::2] == ["ann", "bob"]
    assert people.left_out == {"of other faces": 1}
    assert name_people(table.assign(subject=["s1", "s2", "s3"]).drop(columns="face")).names[0] == "s1"


@pytest.mark.parametrize(
    "sources", [("a.jpg", "b.jpg"), ("ann/a.jpg", "ann/b.jpg"), ("x/ann/a.jpg", "x/b.jpg")]
)
def test_files_that_are_not_in_a_folder_for_each_person_name_nobody(sources: tuple[str, ...]) -> None:
    with pytest.raises(OmoteError, match="nothing says who the rows show"):
        name_people(rows(*sources))


def test_a_row_without_a_source_is_refused_where_folders_name_people() -> None:
    table = rows("x/ann/a.jpg", "x/bob/b.jpg")
    table["source"] = table["source"].where(table.index == 0)
    with pytest.raises(OmoteError, match="nor a source in every row"):
        name_people(table)


def test_two_faces_of_one_picture_are_not_one_person() -> None:
    table = rows("film.mp4", "film.mp4", face=[0, 1], person="ann")
    with pytest.raises(
        OmoteError, match=r"ann would be made of different people.*film\.mp4, frame 0.*--face"
    ):
        name_people(table)
    assert name_people(table, face=1).names.tolist()[1] == "ann"


def test_long_lists_of_names_are_shortened() -> None:
    assert list_names(["ann"]) == "ann"
    assert list_names(["ann", "bob", "cy"]) == "ann, bob and cy"
    assert list_names("abcdefg") == "a, b, c, d, e and 2 more"
