"""What the released code of IAE-LSTM-KL holds for each class: facts of record, used by the as-published run alone.

github.com/crazyn2/IAE-LSTM-KL_codes (MIT), commit c70e4fd. The weights were searched on the test AUROC.
"""

from __future__ import annotations

WEIGHTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cifar10": (
        (10.020755, 0.087933, 2.659931, 1.525873, 2.938716, 0.792, 0.645739, 0.035812, 0.010368, 0.045872),
        (29.123988, 0.117254, 3.133786, 2855.311838, 2617.359959, 9.390975, 64.785139, 1.648697, 0.755313, 26.485921),
    ),
    "fashion_mnist": (
        (0.000998, 0.00302, 0.000772, 0.009163, 0.001733, 0.144335, 0.001733, 0.00001, 0.000052, 0.000406),
        (5.112069, 7.980763, 0.18205, 3.237299, 4.066855, 0.000729, 4.066855, 14.517574, 0.906311, 28.918101),
    ),
}
"""By data set: the weights of KL (lambda 1) and of the MSE (lambda 2) of classes 0 to 9, hard boundary."""

MNIST_EXTREMES: tuple[tuple[float, float], ...] = (
    (-0.8826567065619495, 9.001545489292527),
    (-0.6661464580883915, 20.108062262467364),
    (-0.7820454743183202, 11.665100841080346),
    (-0.7645772083211267, 12.895051191467457),
    (-0.7253923114302238, 12.683235701611533),
    (-0.7698501867861425, 13.103278415430502),
    (-0.778418217980696, 10.457837397569108),
    (-0.7129780970522351, 12.057777597673047),
    (-0.8280402650205075, 10.581538445782988),
    (-0.7369959242164307, 10.697039838804978),
)
"""MNIST's extremes after the contrast normalisation, by digit, which the code also applies to Fashion-MNIST."""
