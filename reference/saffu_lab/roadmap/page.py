"""The report of a map in Markdown, from its lines and from nothing else."""

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
    "Are some of the best models not the most parameterised? The claim is said to hold if one of "
    "the best on validation text has fewer parameters than the median model, and the best model of "
    "that half is clearly better on the test text than the model with the most parameters; with "
    "conditions, if one of the best is below the upper quarter by parameters. The rule was fixed "
    "before the measurement."
)


def page(name: str, findings: Findings, lines: Sequence[Line], folder: str = "") -> str:
    """Everything that the lines say; pictures are `folder`NAME-….png.

    What is not measured yet is shown as –.
    """
    if not findings.solved:
        return "Nothing is measured yet."
    parts = [
        setting(findings, lines),
        "## Parameters and perplexity",
        f"![every model, and the Pareto front]({folder}{name}-map.png)",
        RULE,
        sizes_in_words(findings, where_the_best_are(findings)),
        "The Pareto front: no other model is both as small and as good.",
        models_table(findings, findings.front),
        f"The {len(findings.best)} best:",
        models_table(findings, findings.best),
        "## What each choice is worth",
        *effects_part(name, findings, folder),
    ]
    if findings.trained:
        parts += [
            "## Explicit solutions and backpropagation",
            f"![explicit against trained]({folder}{name}-trained.png)",
            *training_part(findings, lines),
        ]
    return "\n\n".join(parts)


def setting(findings: Findings, lines: Sequence[Line]) -> str:
    """What was measured, and on what."""
    first = findings.solved[0]
    factors = levels_of([line["levels"] for line in findings.solved])
    seconds = sum(float(line["cpu_seconds"]) for line in findings.solved)
    text = (
        f"{len(findings.solved)} SAFFU transformers, each solved explicitly on "
        f"{first['trained_on']:,} targets of one text, in {seconds / 60:.0f} CPU minutes in all. "
        f"They differ in {_listed([factor.replace('_', ' ') for factor in factors])}; how "
        "many have which value stands below. Smoothing and tempers of every model "
        "were chosen on validation text, and by validation text the models are ranked here; the "
        "test text was read at the very end, for the models in whose row it stands."
    )
    if findings.failed:
        text += f" {findings.failed} more did not converge and are left out."
    if findings.baselines is not None:
        values = [perplexity(findings.baselines[one]) for one in ("unigram", "bigram")]
        bigram = findings.baselines["bigram"]["validation_nats"]
        better = sum(line["validation_nats"] < bigram for line in findings.solved)
        text += (
            f" On the test text the unigram has perplexity {values[0]:.1f}, and the interpolated "
            f"bigram {values[1]:.1f}; {better} of the explicit solutions are better than the "
            "bigram on the validation text."
        )
    if not any(line["do"] == "test" for line in lines):
        text += " The measurement is not finished: what is missing is shown as –."
    return text


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def sizes_in_words(findings: Findings, sizes: Sizes | None) -> str:
    """Whether the best are the most parameterised."""
    if sizes is None:
        return MISSING
    best = (
        f"The best model has {sizes.share:.0%} of the parameters of the largest one, and "
        f"{sizes.larger} models have more parameters than it. Of the {sizes.best} best, "
        f"{sizes.below_upper_quarter} are below the upper quarter by parameters, and "
        f"{sizes.below_median} below the median."
    )
    sentences = [best]
    if sizes.against_largest is not None:
        sentences.append(
            "On the test text, the perplexity of the best model of the lower half differs from "
            f"that of the model with the most parameters by {sizes.against_largest.percent} "
            "(95 % interval over documents)."
        )
    if sizes.against_best is not None:
        sentences.append(f"From the best model of all it differs by {sizes.against_best.percent}.")
    if findings.sizes is not None:
        sentences.append(
            "Over all models, the rank correlation of parameters and perplexity is "
            f"{findings.sizes:.2f}: negative means that larger models are better, −1 that they "
            "always are (in parentheses the 95 % interval over models)."
        )
    return " ".join(sentences)


def effects_part(name: str, findings: Findings, folder: str) -> list[str]:
    """The main effects, as a picture, as sentences and as a table."""
    if findings.effects is None:
        return ["Too few models are measured to tell the effects of the factors apart."]
    order = list(findings.effects.spans)
    wide = [
        f"{one.replace('_', ' ')} ×{np.exp(n):.2f}" for one, n in findings.effects.spans.items()
    ]
    best = [best_value(findings.effects, one) for one in order]
    clear = [in_words({e.factor: e.value}, [e.factor]) for e in best if e.nats.high < 0]
    text = (
        "A linear model of log perplexity, with all factors at once and none of their "
        f"interactions, explains {findings.effects.explained:.0%} of its variance. From their "
        f"best to their worst value, perplexity changes by: {', '.join(wide)}."
    )
    if clear:
        text += (
            " The best value of each factor, where its whole interval is better than the mean of "
            f"the factor: {_listed(clear)}."
        )
    how = (
        "Each line is the change of perplexity from the mean of the factor's values, all other "
        "factors being equal; a choice that makes no difference to a model, such as rounds of "
        "uniform attention, counts as the first value of its list."
    )
    picture = f"![main effects]({folder}{name}-effects.png)"
    return [picture, text, how, effects_table(findings.effects)]


def best_value(effects: Effects, factor: str) -> Effect:
    """The value of a factor with the least perplexity."""
    own = [effect for effect in effects.effects if effect.factor == factor]
    return min(own, key=lambda effect: effect.nats.mean)


def epochs_of(line: Line) -> str:
    """How often a training goes over its text, at most."""
    count = line["recipe"]["frozen"] + line["recipe"]["thawed"]
    return "one epoch" if count == 1 else f"{count} epochs"


def training_part(findings: Findings, lines: Sequence[Line]) -> list[str]:
    """What training adds, whether the cheap ranking holds, and what it saves."""
    chance = [one for one in findings.trained if one.drawn]
    trained = (
        f"{len(findings.trained)} models were trained by backpropagation from their explicit "
        f"solution: {len(chance)} that had been drawn by chance before anything was measured, the "
        "others because they were the best."
    )
    sentences = [trained]
    if findings.gained is not None:
        change, interval = percent(findings.gained)
        sentences.append(f"Of those drawn, training changed perplexity by {change} ({interval}).")
    if findings.agreement is not None:
        sentences.append(
            "The rank correlation of perplexity before and after training is "
            f"{findings.agreement:.2f} (1: explicit solutions rank the models as training would)."
        )
    if findings.warm_over_cold is not None:
        count = sum(one.cold is not None for one in chance)
        change, interval = percent(findings.warm_over_cold)
        sentences.append(
            f"For {count} of them the same training was also begun from random weights; beginning "
            f"from the explicit solution changed perplexity by {change} ({interval}). Both had "
            f"{epochs_of(findings.trained[0].warm)} over the training text, which is little for "
            "random weights: this compares one short training, not what each start can reach."
        )
    spent = cost(findings, lines)
    if spent is not None:
        sentences.append(
            f"All explicit solutions took {spent.explicit / 60:.0f} CPU minutes, the trainings "
            f"{spent.training / 60:.0f}; training every model in one setting would have taken "
            f"about {spent.everything / 60:.0f} more than its explicit solution."
        )
    ranked = sorted(findings.trained, key=lambda one: float(one.warm["validation_nats"]))
    return [" ".join(sentences), "The best after training:", trained_table(findings, ranked[:10])]
