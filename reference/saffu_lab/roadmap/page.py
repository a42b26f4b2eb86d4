"""Markdown report of a map, made from its lines alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.results import Line
from saffu_lab.roadmap.analysis import Effect, Effects, levels_of
from saffu_lab.roadmap.sizes import Sizes, where_the_best_are
from saffu_lab.roadmap.summary import Findings, cost, in_words
from saffu_lab.roadmap.tables import MISSING, effects_table, models_table, percent, trained_table

RULE = (
    "Are some of the best models not the most parameterised? The claim holds if one of the best "
    "models on validation text has fewer parameters than the median model, and the best model "
    "below the median is better on the test text, by the whole interval, than the model with the "
    "most parameters. It holds with conditions if one of the best models is below the upper "
    "quartile of parameters. The rule was fixed before anything was measured."
)


def page(name: str, findings: Findings, lines: Sequence[Line], folder: str = "") -> str:
    """The page made from the lines of a map; its pictures are `folder`NAME-….png.

    What is not measured yet is shown as –.
    """
    if not findings.solved:
        return "Nothing has been measured yet."
    parts = [
        setting(findings, lines),
        "## Parameters and perplexity",
        f"![all models, and the Pareto front]({folder}{name}-map.png)",
        RULE,
        sizes_in_words(findings, where_the_best_are(findings)),
        "The Pareto front: no other model is both as small and as good.",
        models_table(findings, findings.front),
        f"The {len(findings.best)} best models:",
        models_table(findings, findings.best),
        "## Effect of each choice",
        *effects_part(name, findings, folder),
    ]
    if findings.trained:
        parts += [
            "## Explicit solutions and backpropagation",
            f"![explicit solutions and trained models]({folder}{name}-trained.png)",
            *training_part(findings, lines),
        ]
    return "\n\n".join(parts)


def setting(findings: Findings, lines: Sequence[Line]) -> str:
    """What was measured, on which text."""
    first = findings.solved[0]
    factors = levels_of([line["levels"] for line in findings.solved])
    seconds = sum(float(line["cpu_seconds"]) for line in findings.solved)
    text = (
        f"{len(findings.solved)} SAFFU transformers, each solved explicitly on "
        f"{first['trained_on']:,} targets of one text, in {seconds / 60:.0f} CPU minutes in total. "
        f"They differ in {_listed([factor.replace('_', ' ') for factor in factors])}; the table of "
        "effects gives the number of models per value. Smoothing and tempers were chosen on "
        "validation text for every model, and models are ranked by validation perplexity. The test "
        "text was read last, only for the models whose rows show a test perplexity."
    )
    if findings.failed:
        text += f" {findings.failed} more did not converge and are left out."
    if findings.baselines is not None:
        values = [perplexity(findings.baselines[one]) for one in ("unigram", "bigram")]
        bigram = findings.baselines["bigram"]["validation_nats"]
        better = sum(line["validation_nats"] < bigram for line in findings.solved)
        text += (
            f" The unigram model has test perplexity {values[0]:.1f}, the interpolated bigram "
            f"{values[1]:.1f}; on validation text, {better} of the explicit solutions are better "
            "than the bigram."
        )
    if not any(line["do"] == "test" for line in lines):
        text += " The measurement is not finished; missing values are shown as –."
    return text


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def sizes_in_words(findings: Findings, sizes: Sizes | None) -> str:
    """Whether the best models are the most parameterised."""
    if sizes is None:
        return MISSING
    best = (
        f"The best model has {sizes.share:.0%} of the parameters of the largest, and "
        f"{sizes.larger} models have more parameters than the best. Of the {sizes.best} best "
        f"models, {sizes.below_upper_quarter} are below the upper quartile of parameters and "
        f"{sizes.below_median} below the median."
    )
    sentences = [best]
    if sizes.against_largest is not None:
        sentences.append(
            "On the test text, the perplexity of the best model below the median differs from "
            f"that of the model with the most parameters by {sizes.against_largest.percent} "
            "(95 % interval over documents)."
        )
    if sizes.against_best is not None:
        sentences.append(f"It differs from that of the best model by {sizes.against_best.percent}.")
    if findings.sizes is not None:
        sentences.append(
            "Over all models, the rank correlation between parameters and perplexity is "
            f"{findings.sizes:.2f} (95 % interval over models); negative means that larger models "
            "tend to be better, −1 that they always are."
        )
    return " ".join(sentences)


def effects_part(name: str, findings: Findings, folder: str) -> list[str]:
    """The main effects: figure, sentences and table."""
    if findings.effects is None:
        return ["Too few models have been measured to separate the effects of the factors."]
    order = list(findings.effects.spans)
    wide = [
        f"{one.replace('_', ' ')} ×{np.exp(n):.2f}" for one, n in findings.effects.spans.items()
    ]
    best = [best_value(findings.effects, one) for one in order]
    clear = [in_words({e.factor: e.value}, [e.factor]) for e in best if e.nats.high < 0]
    text = (
        "A linear model of log perplexity with all factors and no interactions explains "
        f"{findings.effects.explained:.0%} of the variance. The ratio of perplexity between the "
        f"worst and the best value of each factor: {', '.join(wide)}."
    )
    if clear:
        text += (
            " The best value of each factor, if its whole interval is better than the mean over "
            f"the factor's values: {_listed(clear)}."
        )
    how = (
        "Each row gives the change of perplexity from the mean over the factor's values, all other "
        "factors being equal. A choice that has no effect on a model, such as rounds of uniform "
        "attention, counts as the first value of its list."
    )
    picture = f"![main effects]({folder}{name}-effects.png)"
    return [picture, text, how, effects_table(findings.effects)]


def best_value(effects: Effects, factor: str) -> Effect:
    """The value of a factor with the lowest perplexity."""
    own = [effect for effect in effects.effects if effect.factor == factor]
    return min(own, key=lambda effect: effect.nats.mean)


def epochs_of(line: Line) -> str:
    """The epoch limit of a training, in words."""
    count = line["recipe"]["frozen"] + line["recipe"]["thawed"]
    return "one epoch" if count == 1 else f"{count} epochs"


def training_part(findings: Findings, lines: Sequence[Line]) -> list[str]:
    """What training gains, and whether the ranking of explicit solutions predicts it."""
    chance = [one for one in findings.trained if one.drawn]
    trained = (
        f"{len(findings.trained)} models were trained by backpropagation from their explicit "
        f"solution: {len(chance)} drawn at random before anything was measured, the others because "
        "they were among the best."
    )
    sentences = [trained]
    if findings.gained is not None:
        change, interval = percent(findings.gained)
        sentences.append(
            f"In the random draw, training changed perplexity by {change} ({interval})."
        )
    if findings.agreement is not None:
        sentences.append(
            "The rank correlation between perplexity before and after training is "
            f"{findings.agreement:.2f} (1: explicit solutions rank the models exactly as training "
            "does)."
        )
    if findings.warm_over_cold is not None:
        count = sum(one.cold is not None for one in chance)
        change, interval = percent(findings.warm_over_cold)
        sentences.append(
            f"{count} of them were also trained from random weights; starting from the explicit "
            f"solution instead changed perplexity by {change} ({interval}). Both were trained for "
            f"{epochs_of(findings.trained[0].warm)}, which is little for random weights: this "
            "compares one short training, not what each start can reach."
        )
    spent = cost(findings, lines)
    if spent is not None:
        sentences.append(
            f"All explicit solutions took {spent.explicit / 60:.0f} CPU minutes, the trainings "
            f"{spent.training / 60:.0f}. Training every model in one setting would have taken "
            f"about {spent.everything / 60:.0f} CPU minutes beyond the explicit solutions."
        )
    ranked = sorted(findings.trained, key=lambda one: float(one.warm["validation_nats"]))
    return [
        " ".join(sentences),
        "The best models after training:",
        trained_table(findings, ranked[:10]),
    ]
