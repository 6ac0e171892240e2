import numpy as np

from anomaly_gan.synthesis.control_card.subjects import Subject, first_of_each


def test_a_sheet_shows_as_many_of_each_category_that_is_there():
    def subject(name: str, category: str) -> Subject:
        return Subject(name, category, np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8))

    subjects = [subject("c1", "crack"), subject("c2", "crack"), subject("c3", "crack"), subject("b1", "break")]
    assert [one.name for one in first_of_each(subjects, 4)] == ["c1", "c2", "b1"]
    assert [one.name for one in first_of_each(subjects, 1)] == ["c1", "b1"]
    assert first_of_each([], 4) == []
