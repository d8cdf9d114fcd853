"""The features by name."""

from peva_env.features import FEATURES, N_FEATURES


def test_each_feature_has_a_name_a_formula_and_a_range() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == N_FEATURES
    assert all(feature.formula and feature.low < feature.high for feature in FEATURES)
