"""The statistics of reader studies, against published worked examples, other packages and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from CTSuperResolutionLib.study.agreement import gwet_ac2, krippendorff_alpha, weighted_kappa
from CTSuperResolutionLib.study.bootstrap import two_way_variance
from CTSuperResolutionLib.study.grading import vgc_area, vgc_curve
from CTSuperResolutionLib.study.multiplicity import holm
from CTSuperResolutionLib.study.ordinal import odds_ratio
from CTSuperResolutionLib.study.preference import bradley_terry, preference_share, strengths

N = np.nan
# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C: four observers, twelve units. The same
# data are cac.raw4raters of the R package irrCAC (K. L. Gwet, Handbook of Inter-Rater Reliability, 4th edition 2014).
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)


@pytest.mark.parametrize(("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorffs_example(metric: str, published: float) -> None:
    assert krippendorff_alpha(FOUR_OBSERVERS, metric) == pytest.approx(published, abs=5e-4)


def test_ac1_and_ac2_are_those_that_irrcac_prints() -> None:
    """gwet.ac1.raw(cac.raw4raters): 0.77544; with weights = "quadratic": 0.914."""
    assert gwet_ac2(FOUR_OBSERVERS, 5, np.eye(5)) == pytest.approx(0.77544, abs=5e-6)
    assert gwet_ac2(FOUR_OBSERVERS, 5) == pytest.approx(0.914, abs=5e-4)


def test_ac1_of_a_table_is_that_of_irrcacs_example() -> None:
    """cont3x3abstractors, gwet.ac1.table: 0.8493305."""
    table = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
    pairs = [(i + 1, j + 1) for i, j in itertools.product(range(3), repeat=2) for _ in range(table[i][j])]
    assert gwet_ac2(np.array(pairs, dtype=float).T, 3, np.eye(3)) == pytest.approx(0.8493305, abs=5e-8)


def test_weighted_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    first = rng.integers(1, 6, 60)
    second = np.clip(first + rng.integers(-1, 2, 60), 1, 5)
    expected = metrics.cohen_kappa_score(first, second, labels=range(1, 6), weights="quadratic")
    first, second = np.append(first, N), np.append(second, 3)  # what one did not grade does not count
    assert weighted_kappa(first.astype(float), second.astype(float), 5) == pytest.approx(expected)


def test_agreement_of_all_alike_is_not_made_up() -> None:
    same = np.full((3, 9), 4.0)
    assert np.isnan(krippendorff_alpha(same)) and np.isnan(weighted_kappa(same[0], same[1], 5))
    assert gwet_ac2(same, 5) == pytest.approx(1)


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(1).uniform(size=9) ** 3
    assert holm(list(p)) == pytest.approx(list(multitest.multipletests(p, method="holm")[1]))
    assert holm([]) == []


def test_bradley_terry_is_the_maximum_that_choix_finds() -> None:
    """On A. Agresti's baseball data (Categorical Data Analysis, table 10.10): wins of the row over the column."""
    choix = pytest.importorskip("choix")
    wins = np.array(
        [
            [0, 7, 9, 7, 7, 9, 11],
            [6, 0, 7, 5, 11, 9, 9],
            [4, 6, 0, 7, 7, 8, 12],
            [6, 8, 6, 0, 6, 7, 10],
            [6, 2, 6, 7, 0, 7, 12],
            [4, 4, 5, 6, 6, 0, 6],
            [2, 4, 1, 3, 1, 7, 0],
        ]
    )
    data = [(i, j) for i in range(7) for j in range(7) for _ in range(wins[i, j])]
    expected = choix.opt_pairwise(7, data, alpha=0, tol=1e-10)
    found = bradley_terry(wins)
    assert found == pytest.approx(expected - expected[0], abs=2e-4)
    # Against the last team, as Agresti prints them.
    assert found[:-1] - found[-1] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68], abs=0.006)


def test_bradley_terry_of_two_is_the_log_odds() -> None:
    assert bradley_terry(np.array([[0, 3], [9, 0]])) == pytest.approx([0, np.log(3)])
    many = bradley_terry(np.array([[[0, 3], [9, 0]], [[0, 5], [5, 0]]]))
    assert many[:, 1] == pytest.approx([np.log(3), 0])


def test_the_vgc_area_is_mann_whitneys_share_averaged_over_readers() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(1, 6, (3, 15)).astype(float), rng.integers(1, 6, (3, 15)).astype(float)
    shares = [stats.mannwhitneyu(b[r], a[r]).statistic / 225 for r in range(3)]
    assert vgc_area(a, b, draws=50).estimate == pytest.approx(np.mean(shares))
    curve = vgc_curve(a[0], b[0], 5)
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(shares[0])
    a[0, 3] = N
    shares[0] = stats.mannwhitneyu(b[0], a[0][np.isfinite(a[0])]).statistic / (15 * 14)
    assert vgc_area(a, b, draws=50).estimate == pytest.approx(np.mean(shares))


def test_the_bootstraps_variance_is_that_of_the_analysis_of_variance() -> None:
    """Of a mean over readers and cases, both random: (MS_R + MS_C − MS_E) / RC."""
    rng = np.random.default_rng(3)
    table = rng.normal(0, 1, (6, 1)) + rng.normal(0, 1, (1, 25)) + rng.normal(0, 1, (6, 25))
    rows, columns = table.mean(1), table.mean(0)
    rest = table - rows[:, None] - columns[None, :] + table.mean()
    ms_r, ms_c, ms_e = 25 * rows.var(ddof=1), 6 * columns.var(ddof=1), (rest**2).sum() / (5 * 24)
    found, freedom = two_way_variance(lambda r, c: ((r @ table) * c).sum(1) / 150, 6, 25, draws=40_000)
    expected = (ms_r + ms_c - ms_e) / 150
    assert found == pytest.approx(expected, rel=0.03)
    assert freedom == pytest.approx(5 * (expected / (ms_r / 150)) ** 2, rel=0.06)


def test_a_share_with_ties_and_gaps_is_the_mean_of_what_is_there() -> None:
    table = np.array([[1, 0.5, N, 1], [0, 1, 1, 1], [1, 1, 0, 0.5]])
    found = preference_share(table, draws=200)
    assert found.estimate == pytest.approx(np.nanmean(table))
    assert 0 < found.low < found.estimate < found.high < 1


@pytest.mark.parametrize("table", [np.ones((4, 12)), np.zeros((4, 12))])
def test_a_unanimous_share_has_the_interval_of_its_cases(table: np.ndarray) -> None:
    exact = stats.binomtest(int(table[0].sum()), 12).proportion_ci(method="exact")
    found = preference_share(table, draws=10)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.p == pytest.approx(2 * 0.5**12)


def test_strengths_of_two_methods_are_the_shares_log_odds() -> None:
    rng = np.random.default_rng(4)
    table = (rng.uniform(size=(5, 40)) < 0.7).astype(float)
    won = np.zeros((5, 40, 2, 2))
    won[..., 1, 0], won[..., 0, 1] = table, 1 - table
    (found,) = strengths(won, draws=400)
    share = (table.sum() + 0.5) / (table.size + 1)
    assert found.estimate == pytest.approx(np.log(share / (1 - share)))
    assert found.low < found.estimate < found.high


def test_the_odds_ratio_is_that_of_the_proportional_odds_model() -> None:
    pandas = pytest.importorskip("pandas")
    ordered = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    rng = np.random.default_rng(5)

    def grades(shift: float) -> np.ndarray:
        latent = shift + np.linspace(-1, 1, 4)[:, None] + rng.logistic(size=(4, 60))
        return 1.0 + (latent[..., None] > np.array([-2, -0.5, 0.5, 2])).sum(-1)

    a, b = grades(0), grades(1)
    found = odds_ratio(a, b)
    method, reader, _ = (axis.ravel() for axis in np.indices((2, 4, 60)))
    columns = {"method": method, **{f"reader{r}": (reader == r) * 1 for r in range(1, 4)}}
    endog = np.stack([a, b]).ravel().astype(int)
    fit = ordered.OrderedModel(endog, pandas.DataFrame(columns), distr="logit").fit(method="bfgs", disp=0)
    assert found is not None
    assert np.log(found.ratio) == pytest.approx(fit.params["method"], abs=0.01)
    assert found.low < np.e < found.high


def test_grades_that_do_not_overlap_have_no_odds_ratio() -> None:
    assert odds_ratio(np.ones((3, 10)), np.full((3, 10), 5.0)) is None
