"""Figures that the papers give, for the tables of a report. Nothing here imports torch.

Transcribed from the papers; AUROC and F1 as shares of one. Which of them cannot be taken at face value, and why, is
said in the documentation of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = tuple("0123456789")
CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

OUTLIER_SHARES = ("10 %", "20 %", "30 %", "40 %", "50 %")
CATEGORIES = ("1 category", "4 categories", "7 categories")


@dataclass(frozen=True)
class Row:
    """One method's figures: its name among our detectors, one value per column, and the average."""

    detector: str | None
    values: tuple[float, ...]
    average: float | None


@dataclass(frozen=True)
class Table:
    """One table of a paper: on which data set, which figure, under which split, and what its columns are."""

    source: str
    dataset: str
    metric: str
    split: str
    columns: tuple[str, ...]
    rows: dict[str, Row]
    note: str = ""


def tables_for(dataset: str, detector: str) -> list[Table]:
    """The tables on a data set in which the detector stands, as the proposed method or as a baseline."""
    return [
        table
        for table in PUBLISHED
        if table.dataset == dataset and any(row.detector == detector for row in table.rows.values())
    ]


PUBLISHED = (
    Table(
        "Cheng et al. 2021 (IAEAD), Tables 3 and 4",
        "mnist",
        "AUROC",
        "transductive",
        DIGITS,
        {
            "IAEAD": Row(
                "iaead", (0.9659, 0.9932, 0.8327, 0.9105, 0.9194, 0.8688, 0.9569, 0.9425, 0.8704, 0.9450), 0.9205
            ),
            "Deep SVDD": Row(
                "deep_svdd", (0.8192, 0.9529, 0.6923, 0.7527, 0.7269, 0.7103, 0.8460, 0.7941, 0.7451, 0.8467), 0.7886
            ),
            "CAE": Row("cae", (0.3504, 0.9721, 0.4555, 0.5090, 0.6253, 0.5293, 0.5284, 0.7541, 0.3225, 0.6091), 0.5656),
            "MemAE": Row(
                "mem_ae", (0.6150, 0.9780, 0.5723, 0.6266, 0.7191, 0.5912, 0.7221, 0.8056, 0.5412, 0.7416), 0.6913
            ),
        },
        "contamination 10 %, mean of 5 runs",
    ),
    Table(
        "Cheng et al. 2021 (IAEAD), Tables 3 and 4",
        "fashion_mnist",
        "AUROC",
        "transductive",
        CLOTHES,
        {
            "IAEAD": Row(
                "iaead", (0.8967, 0.9753, 0.8634, 0.9300, 0.9075, 0.7537, 0.8251, 0.9739, 0.7907, 0.9530), 0.8869
            ),
            "Deep SVDD": Row(
                "deep_svdd", (0.7803, 0.9253, 0.7589, 0.8470, 0.7976, 0.7399, 0.7148, 0.9098, 0.6851, 0.8204), 0.7979
            ),
            "CAE": Row("cae", (0.6267, 0.9481, 0.5808, 0.7356, 0.6240, 0.7387, 0.4775, 0.8541, 0.4474, 0.7101), 0.6743),
            "MemAE": Row(
                "mem_ae", (0.7130, 0.9521, 0.7271, 0.7596, 0.7412, 0.6029, 0.6395, 0.8208, 0.5066, 0.7471), 0.7210
            ),
        },
        "contamination 10 %, mean of 5 runs",
    ),
    Table(
        "Cheng et al. 2021 (IAEAD), Tables 3 and 4",
        "cifar10",
        "AUROC",
        "transductive",
        OBJECTS,
        {
            "IAEAD": Row(
                "iaead", (0.6243, 0.3864, 0.6564, 0.4709, 0.7088, 0.5036, 0.6992, 0.5172, 0.6576, 0.4408), 0.5665
            ),
            "Deep SVDD": Row(
                "deep_svdd", (0.5431, 0.4820, 0.6467, 0.4970, 0.6642, 0.4763, 0.6952, 0.5049, 0.5680, 0.4923), 0.5570
            ),
            "CAE": Row("cae", (0.7000, 0.3645, 0.6752, 0.6033, 0.5857, 0.5953, 0.4042, 0.4862, 0.7218, 0.3843), 0.5521),
            "MemAE": Row(
                "mem_ae", (0.6587, 0.3631, 0.6894, 0.5391, 0.6729, 0.5383, 0.5633, 0.4983, 0.6881, 0.3578), 0.5569
            ),
        },
        "contamination 10 %, mean of 5 runs",
    ),
    Table(
        "Huang et al. 2024 (IAE-LSTM-KL), Table I",
        "cifar10",
        "AUROC",
        "one_vs_rest",
        OBJECTS,
        {
            "CAE": Row("cae", (0.581, 0.531, 0.488, 0.571, 0.497, 0.601, 0.441, 0.557, 0.739, 0.612), 0.562),
            "MemAE": Row("mem_ae", (0.658, 0.537, 0.483, 0.593, 0.497, 0.621, 0.442, 0.570, 0.789, 0.624), 0.581),
            "VAE": Row("vae", (0.629, 0.433, 0.618, 0.499, 0.730, 0.516, 0.679, 0.522, 0.668, 0.539), 0.583),
            "LSA": Row(None, (0.621, 0.602, 0.480, 0.561, 0.606, 0.609, 0.658, 0.632, 0.780, 0.723), 0.627),
            "Deep SVDD (hard)": Row(
                "deep_svdd", (0.621, 0.620, 0.486, 0.576, 0.569, 0.633, 0.578, 0.614, 0.777, 0.688), 0.616
            ),
            "Deep SVDD (soft)": Row(
                "deep_svdd", (0.616, 0.620, 0.481, 0.563, 0.563, 0.614, 0.588, 0.617, 0.772, 0.681), 0.611
            ),
            "IAEAD (hard)": Row("iaead", (0.637, 0.590, 0.500, 0.557, 0.597, 0.581, 0.637, 0.631, 0.725, 0.663), 0.612),
            "IAEAD (soft)": Row("iaead", (0.632, 0.583, 0.506, 0.590, 0.543, 0.613, 0.582, 0.632, 0.768, 0.670), 0.612),
            "IAE-LSTM-KL (hard)": Row(
                "iae_lstm_kl", (0.780, 0.688, 0.613, 0.648, 0.706, 0.650, 0.759, 0.658, 0.798, 0.777), 0.708
            ),
            "IAE-LSTM-KL (soft)": Row(
                "iae_lstm_kl", (0.761, 0.642, 0.611, 0.670, 0.703, 0.695, 0.725, 0.643, 0.752, 0.735), 0.694
            ),
        },
        "no spread given; weights picked per class on the test AUROC",
    ),
    Table(
        "Huang et al. 2024 (IAE-LSTM-KL), Table V, ablation",
        "cifar10",
        "AUROC",
        "one_vs_rest",
        OBJECTS,
        {
            "DSVDD-KL (hard)": Row(None, (0.627, 0.626, 0.546, 0.544, 0.616, 0.608, 0.542, 0.624, 0.732, 0.671), 0.614),
            "DSVDD-KL (soft)": Row(None, (0.629, 0.638, 0.562, 0.542, 0.595, 0.601, 0.589, 0.618, 0.741, 0.667), 0.618),
            "DLSVDD (hard)": Row(None, (0.603, 0.634, 0.486, 0.610, 0.579, 0.644, 0.618, 0.647, 0.775, 0.723), 0.632),
            "DLSVDD (soft)": Row(None, (0.605, 0.638, 0.495, 0.610, 0.573, 0.639, 0.621, 0.649, 0.778, 0.722), 0.633),
            "DLSVDD-KL (hard)": Row(
                None, (0.689, 0.642, 0.528, 0.604, 0.585, 0.638, 0.625, 0.643, 0.782, 0.722), 0.646
            ),
            "DLSVDD-KL (soft)": Row(
                None, (0.620, 0.642, 0.521, 0.611, 0.603, 0.638, 0.632, 0.650, 0.780, 0.712), 0.641
            ),
            "IAE-KL (hard)": Row(None, (0.764, 0.659, 0.607, 0.649, 0.711, 0.680, 0.729, 0.658, 0.817, 0.766), 0.704),
            "IAE-KL (soft)": Row(None, (0.768, 0.581, 0.538, 0.600, 0.629, 0.629, 0.679, 0.605, 0.777, 0.704), 0.651),
            "IAE-LSTM (hard)": Row(None, (0.667, 0.680, 0.504, 0.633, 0.626, 0.636, 0.719, 0.645, 0.793, 0.760), 0.666),
            "IAE-LSTM (soft)": Row(None, (0.708, 0.644, 0.549, 0.593, 0.625, 0.656, 0.663, 0.622, 0.767, 0.712), 0.654),
        },
        "no spread given; weights picked per class on the test AUROC",
    ),
    Table(
        "Huang et al. 2024 (IAE-LSTM-KL), Tables II and VI",
        "fashion_mnist",
        "AUROC",
        "one_vs_rest",
        CLOTHES,
        {
            "CAE": Row("cae", (0.846, 0.966, 0.813, 0.855, 0.890, 0.571, 0.728, 0.942, 0.838, 0.984), 0.843),
            "MemAE": Row("mem_ae", (0.901, 0.987, 0.885, 0.916, 0.883, 0.898, 0.782, 0.988, 0.861, 0.980), 0.908),
            "VAE": Row("vae", (0.896, 0.962, 0.863, 0.884, 0.894, 0.347, 0.773, 0.968, 0.853, 0.983), 0.842),
            "LSA": Row(None, (0.886, 0.940, 0.862, 0.867, 0.895, 0.474, 0.766, 0.941, 0.916, 0.984), 0.853),
            "Deep SVDD (hard)": Row(
                "deep_svdd", (0.860, 0.980, 0.836, 0.872, 0.892, 0.684, 0.758, 0.948, 0.934, 0.973), 0.874
            ),
            "Deep SVDD (soft)": Row(
                "deep_svdd", (0.863, 0.977, 0.851, 0.882, 0.891, 0.649, 0.775, 0.951, 0.923, 0.975), 0.874
            ),
            "IAEAD (hard)": Row("iaead", (0.878, 0.941, 0.871, 0.853, 0.907, 0.543, 0.781, 0.955, 0.891, 0.986), 0.861),
            "IAEAD (soft)": Row("iaead", (0.864, 0.961, 0.851, 0.856, 0.895, 0.692, 0.759, 0.953, 0.879, 0.986), 0.870),
            "IAE-LSTM-KL (hard)": Row(
                "iae_lstm_kl", (0.915, 0.987, 0.905, 0.945, 0.928, 0.874, 0.814, 0.990, 0.955, 0.992), 0.931
            ),
            "IAE-LSTM-KL (soft)": Row(
                "iae_lstm_kl", (0.887, 0.981, 0.891, 0.915, 0.912, 0.923, 0.815, 0.973, 0.944, 0.981), 0.922
            ),
            "DSVDD-KL (hard)": Row(None, (0.891, 0.978, 0.891, 0.904, 0.915, 0.829, 0.804, 0.974, 0.905, 0.991), 0.908),
            "DSVDD-KL (soft)": Row(None, (0.887, 0.978, 0.890, 0.902, 0.916, 0.889, 0.804, 0.971, 0.911, 0.991), 0.914),
            "DLSVDD (hard)": Row(None, (0.887, 0.981, 0.892, 0.909, 0.899, 0.869, 0.805, 0.972, 0.942, 0.978), 0.913),
            "DLSVDD (soft)": Row(None, (0.884, 0.980, 0.888, 0.918, 0.908, 0.903, 0.813, 0.973, 0.934, 0.981), 0.918),
            "DLSVDD-KL (hard)": Row(
                None, (0.884, 0.982, 0.895, 0.912, 0.903, 0.873, 0.809, 0.971, 0.948, 0.981), 0.916
            ),
            "DLSVDD-KL (soft)": Row(
                None, (0.887, 0.981, 0.891, 0.915, 0.912, 0.923, 0.815, 0.973, 0.944, 0.981), 0.922
            ),
            "IAE-KL (hard)": Row(None, (0.899, 0.979, 0.892, 0.912, 0.922, 0.838, 0.808, 0.989, 0.936, 0.991), 0.917),
            "IAE-KL (soft)": Row(None, (0.906, 0.971, 0.868, 0.906, 0.913, 0.841, 0.809, 0.984, 0.921, 0.994), 0.911),
            "IAE-LSTM (hard)": Row(None, (0.908, 0.987, 0.898, 0.942, 0.929, 0.873, 0.808, 0.989, 0.952, 0.990), 0.928),
            "IAE-LSTM (soft)": Row(None, (0.920, 0.972, 0.865, 0.924, 0.910, 0.909, 0.782, 0.980, 0.915, 0.987), 0.916),
        },
        "no spread given; weights picked per class on the test AUROC",
    ),
    Table(
        "Park et al. 2024 (Skip-GANomaly++), Table 1",
        "cifar10",
        "AUROC",
        "leave_one_out",
        OBJECTS,
        {
            "EGBAD": Row("egbad", (0.577, 0.514, 0.383, 0.448, 0.374, 0.481, 0.353, 0.526, 0.413, 0.555), 0.462),
            "AnoGAN": Row("ano_gan", (0.516, 0.492, 0.411, 0.399, 0.335, 0.393, 0.321, 0.399, 0.567, 0.511), 0.434),
            "GANomaly": Row("ganomaly", (0.633, 0.631, 0.510, 0.587, 0.593, 0.628, 0.683, 0.605, 0.616, 0.617), 0.610),
            "Skip-GANomaly": Row(
                "skip_ganomaly", (0.797, 0.953, 0.448, 0.607, 0.602, 0.615, 0.931, 0.788, 0.659, 0.907), 0.731
            ),
            "Skip-GANomaly++": Row(
                "skip_ganomaly_pp", (0.984, 0.891, 0.819, 0.907, 0.998, 0.818, 0.999, 0.832, 0.998, 0.892), 0.914
            ),
        },
        "one run; the average is ours",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 1, ablation",
        "cifar10",
        "AUROC",
        "leave_one_out",
        ("deer",),
        {
            "CVGAD without mutual information": Row(None, (0.794,), None),
            "CVGAD without latent": Row(None, (0.790,), None),
            "CVGAD without SSIM": Row(None, (0.736,), None),
            "CVGAD without L1": Row(None, (0.767,), None),
            "CVGAD without Wasserstein": Row(None, (0.718,), None),
            "CVGAD without negative training": Row(None, (0.838,), None),
            "CVGAD": Row("cvgad", (0.853,), None),
        },
        "deer abnormal, no spread given",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 1, ablation",
        "cifar10",
        "F1",
        "leave_one_out",
        ("deer",),
        {
            "CVGAD without mutual information": Row(None, (0.781,), None),
            "CVGAD without latent": Row(None, (0.785,), None),
            "CVGAD without SSIM": Row(None, (0.722,), None),
            "CVGAD without L1": Row(None, (0.751,), None),
            "CVGAD without Wasserstein": Row(None, (0.705,), None),
            "CVGAD without negative training": Row(None, (0.821,), None),
            "CVGAD": Row("cvgad", (0.845,), None),
        },
        "deer abnormal, no spread given",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 2",
        "fashion_mnist",
        "AUROC",
        "one_vs_rest",
        OUTLIER_SHARES,
        {
            "GPND": Row(None, (0.928, 0.932, 0.933, 0.933, 0.933), None),
            "CVGAD": Row("cvgad", (0.921, 0.917, 0.940, 0.946, 0.937), None),
        },
        "by the share of abnormal images in the test set, mean over the classes",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 2",
        "fashion_mnist",
        "F1",
        "one_vs_rest",
        OUTLIER_SHARES,
        {
            "GPND": Row(None, (0.968, 0.945, 0.917, 0.891, 0.864), None),
            "CVGAD": Row("cvgad", (0.946, 0.931, 0.923, 0.895, 0.890), None),
        },
        "by the share of abnormal images in the test set, mean over the classes",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 3",
        "coil20",
        "AUROC",
        "one_vs_rest",
        CATEGORIES,
        {
            "OutRank": Row(None, (0.836, 0.613, 0.570), None),
            "CoP": Row(None, (0.843, 0.628, 0.580), None),
            "REAPER": Row(None, (0.900, 0.877, 0.824), None),
            "OutlierPursuit": Row(None, (0.908, 0.837, 0.822), None),
            "LRR": Row(None, (0.847, 0.687, 0.628), None),
            "DPCP": Row(None, (0.900, 0.859, 0.804), None),
            "l1 thr.": Row(None, (0.991, 0.992, 0.991), None),
            "R-graph": Row(None, (0.997, 0.996, 0.996), None),
            "GPND": Row(None, (0.968, 0.945, 0.919), None),
            "CVGAD": Row("cvgad", (0.973, 0.949, 0.938), None),
        },
        "COIL-100, not COIL-20: 50, 25 and 15 % abnormal; test sets of 4, 11 and 16 images",
    ),
    Table(
        "Bian et al. 2019 (CVGAD), Table 3",
        "coil20",
        "F1",
        "one_vs_rest",
        CATEGORIES,
        {
            "OutRank": Row(None, (0.862, 0.491, 0.342), None),
            "CoP": Row(None, (0.866, 0.500, 0.346), None),
            "REAPER": Row(None, (0.892, 0.703, 0.541), None),
            "OutlierPursuit": Row(None, (0.902, 0.686, 0.528), None),
            "LRR": Row(None, (0.872, 0.541, 0.366), None),
            "DPCP": Row(None, (0.882, 0.684, 0.511), None),
            "l1 thr.": Row(None, (0.978, 0.941, 0.897), None),
            "R-graph": Row(None, (0.990, 0.970, 0.995), None),
            "GPND": Row(None, (0.979, 0.960, 0.941), None),
            "CVGAD": Row("cvgad", (0.983, 0.952, 0.945), None),
        },
        "COIL-100, not COIL-20: 50, 25 and 15 % abnormal; test sets of 4, 11 and 16 images",
    ),
)
