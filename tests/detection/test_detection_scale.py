"""The scale at which a detector sees its photographs follows the thinnest category, where nobody chose it."""

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.masks import mask_width_px
from detection.detectors.config import DetectConfig
from detection.scale import LARGEST, fitted, fitting_size, measure_scale


def lines(width_px: int, longest: int = 1000, source: str = "real") -> Dataset:
    """One photograph with a line of that width and one with a large square."""
    images, annotations = [], []
    for number, (height, width) in enumerate(((width_px, 200), (90, 90)), start=1):
        mask = np.zeros((400, longest), np.uint8)
        mask[20 : 20 + height, 30 : 30 + width] = 1
        images.append(ImageRecord(number, f"{number}.png", longest, 400, f"g{number}", "train", source, ""))
        annotations.append(Annotation.from_mask(number, number, number, mask))
    return Dataset(images, annotations, [Category(1, "line"), Category(2, "square")])


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8, 20])
def test_the_width_of_a_band_is_its_thickness(width: int) -> None:
    mask = np.zeros((60, 300), np.uint8)
    mask[10 : 10 + width, 20:280] = 1
    assert mask_width_px(mask) == pytest.approx(width, abs=1.1 if width == 1 else 0.12 * width + 0.1)
    assert mask_width_px(mask.T.copy()) == pytest.approx(mask_width_px(mask))


@pytest.mark.parametrize(("width", "wanted"), [(20, 256), (9, 448), (8, 512), (4, LARGEST), (1, LARGEST)])
def test_the_scale_keeps_the_thinnest_category_four_pixels_wide(width: int, wanted: int) -> None:
    size = fitting_size(measure_scale(lines(width)))
    assert abs(size - wanted) <= 32 and size % 32 == 0
    assert fitting_size(measure_scale(lines(width, longest=300))) <= 416  # photographs of 400 px


def test_only_what_was_left_open_is_chosen_and_generated_photographs_have_no_say() -> None:
    assert fitted(DetectConfig(detector="mask_rcnn", image_size=96), lines(8)).image_size == 96
    assert fitted(DetectConfig(detector="mask_rcnn", view="whole"), lines(8)).longest == 512
    assert fitted(DetectConfig(detector="mask_rcnn", view="whole"), lines(8, source="synthetic")).longest == 256
    assert fitted(DetectConfig(detector="dense"), lines(8)).image_size == "auto"
    assert DetectConfig().image_size == "auto" and DetectConfig().longest == 256
