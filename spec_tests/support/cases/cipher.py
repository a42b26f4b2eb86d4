"""bit_cipher, cipher_decode.   (SPEC 2)"""

# Cases are tables, laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saffu.types import Array
from spec_tests.support.cases.question import NAN, Question, ask, stream
from spec_tests.support.oracle import text


def bit_cipher() -> Iterator[Question]:
    op = "bit_cipher"
    order = "cipher-basis-forward cipher-level-forward cipher-binary-counting cipher-lexicographic"
    usual = "cipher-not-normalised cipher-norm-euclidean cipher-by-id cipher-rarest-first"
    for slug, about, size, bits, hunts in (
        (
            "levels-one-and-two",
            "eleven tokens in five bits: six of them have two ones",
            11,
            5,
            f"{order} cipher-bits-mirrored {usual}",
        ),
        ("all-of-five-bits", "all 31 codes of five bits", 31, 5, f"{order} {usual}"),
        ("all-of-three-bits", "all seven codes of three bits", 7, 3, f"{order} {usual}"),
        (
            "levels-up-to-three",
            "101 tokens in thirteen bits: the last ten have three ones",
            101,
            13,
            order,
        ),
        (
            "one-hot",
            "as many bits as tokens: one-hot codes",
            7,
            7,
            "cipher-binary-counting cipher-by-id cipher-rarest-first cipher-bits-mirrored",
        ),
        (
            "more-bits-than-tokens",
            "more bits than tokens: one-hot codes",
            5,
            11,
            "cipher-binary-counting cipher-by-id",
        ),
        ("six-bits", "37 tokens in six bits: three levels", 37, 6, f"{order} {usual}"),
        ("seventeen-bits", "codes of more than two bytes", 23, 17, order),
    ):
        d = stream(f"{op}/{slug}")
        counts = np.array(d.shuffled(range(3, 3 * size + 3, 3)))
        yield ask(f"{op}/{slug}", about, {"counts": counts}, hunts, attributes={"bits": bits})
    d = stream(f"{op}/ties")
    yield ask(f"{op}/ties", "ties in the counts go to the lower id",
              {"counts": d.whole(0, 3, 23)}, "cipher-ties-to-the-last",
              attributes={"bits": 5})
    yield ask(f"{op}/all-tied", "tokens that all occur as often keep the order of their ids",
              {"counts": np.full(11, 7)}, "cipher-ties-to-the-last", attributes={"bits": 4})
    yield ask(f"{op}/unseen-tokens", "tokens that never occurred get the last codes",
              {"counts": np.array([0, 5, 0, 7, 0, 1, 0])}, "cipher-drops-unseen cipher-by-id",
              attributes={"bits": 3})
    yield ask(f"{op}/one-token", "a single token in a single bit", {"counts": np.array([3])},
              attributes={"bits": 1})
    d = stream(f"{op}/huge-counts")
    yield ask(f"{op}/huge-counts", "counts that float32 cannot tell apart",
              {"counts": 2**40 + np.array(d.shuffled(range(13)))}, "cipher-counts-in-float32",
              attributes={"bits": 4})
    for slug, about, counts, bits, reason in (
        (
            "too-few-bits",
            "eight tokens need more than the seven codes of three bits",
            np.arange(8),
            3,
            "bits",
        ),
        ("far-too-few-bits", "101 tokens in two bits", np.arange(101), 2, "bits"),
        ("no-bits", "codes of no bits", np.arange(5), 0, "option"),
        ("negative-count", "a token that occurred −1 times", np.array([3, -1, 2]), 2, "negative"),
    ):
        yield ask(f"{op}/refuse-{slug}", about, {"counts": counts},
                  "cipher-wraps-around" if reason == "bits" else "cipher-takes-anything",
                  attributes={"bits": bits}, reject=reason)


def codes(size: int, bits: int) -> Array:
    return np.array([text.bits_of(code, bits) for code in text.cipher(size, bits)])


def cipher_decode() -> Iterator[Question]:
    op = "cipher_decode"
    for method in ("dot", "likelihood"):
        wrong = "decode-normalised-dot decode-cosine decode-nearest" if method == "dot" else (
            "decode-largest-dot"
        )
        for slug, about, size, bits, m in (
            ("distributions", "distributions over five bits", 23, 5, 29),
            ("three-bits", "distributions over three bits", 7, 3, 31),
            ("one-hot-codes", "one-hot codes: the largest entry", 11, 11, 7),
            ("thirteen-bits", "distributions over thirteen bits", 101, 13, 17),
        ):
            id_ = f"{op}/{method}-{slug}"
            hunts = wrong if slug != "one-hot-codes" else "decode-smallest"
            yield ask(id_, f"{about}, by {method}",
                      {"vectors": stream(id_).simplex(m, bits), "codes": codes(size, bits)},
                      hunts, attributes={"method": method})
        table = codes(31, 5)
        own = table / table.sum(axis=1, keepdims=True)
        yield ask(f"{op}/{method}-of-codes", f"normalised codes decode to themselves, by {method}",
                  {"vectors": own, "codes": table},
                  "decode-ties-to-the-last" if method == "dot" else wrong,
                  attributes={"method": method})
    d = stream(f"{op}/dot-near-ties")
    near = 0.25 + d.whole(0, 5, 19, 5) * 2.0**-20
    yield ask(f"{op}/dot-near-ties", "entries that differ by 2^-20", {"vectors": near,
              "codes": codes(5, 5)}, "decode-smallest decode-ties-to-the-last",
              attributes={"method": "dot"})
    yield ask(f"{op}/dot-ties", "all entries equal: among the longest codes the most frequent",
              {"vectors": np.full((1, 5), 0.25), "codes": codes(23, 5)},
              "decode-ties-to-the-last decode-normalised-dot", attributes={"method": "dot"})
    yield ask(f"{op}/likelihood-ties", "all entries equal: the most frequent token of all",
              {"vectors": np.full((1, 5), 0.25), "codes": codes(23, 5)},
              "decode-ties-to-the-last decode-largest-dot", attributes={"method": "likelihood"})
    d = stream(f"{op}/likelihood-zeros")
    zeros = d.simplex(11, 5)
    zeros[np.arange(11), d.whole(0, 4, 11)] = 0
    yield ask(f"{op}/likelihood-zeros", "a code that has a one where the vector has a zero is "
              "impossible", {"vectors": zeros, "codes": codes(23, 5)},
              "decode-skips-zeros", attributes={"method": "likelihood"})
    d = stream(f"{op}/likelihood-above-one")
    yield ask(f"{op}/likelihood-above-one", "entries above one, whose logarithms are positive",
              {"vectors": d.simplex(13, 5) * 64, "codes": codes(23, 5)},
              "decode-sum-of-logs decode-largest-dot", attributes={"method": "likelihood"})
    d = stream(f"{op}/likelihood-of-codes-apart")
    yield ask(f"{op}/likelihood-of-codes-apart", "codes of two lengths, neither inside of "
              "the other: means of logarithms are compared, not sums",
              {"vectors": d.simplex(23, 5), "codes": np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])},
              "decode-sum-of-logs decode-largest-dot", attributes={"method": "likelihood"})
    d = stream(f"{op}/dot-of-longer-codes")
    yield ask(f"{op}/dot-of-longer-codes", "a table of codes with two and three ones",
              {"vectors": d.simplex(13, 5), "codes": codes(25, 5)[5:]},
              "decode-normalised-dot decode-nearest", attributes={"method": "dot"})
    d = stream(f"{op}/dot-norms-of-all-sizes")
    yield ask(f"{op}/dot-norms-of-all-sizes", "the norm of a vector does not matter",
              {"vectors": d.simplex(13, 5) * 2.0 ** d.whole(-40, 40, 13, 1),
               "codes": codes(23, 5)}, "decode-nearest", attributes={"method": "dot"})
    yield from _decode_refusals(op)


def _decode_refusals(op: str) -> Iterator[Question]:
    v = stream(f"{op}/refuse").simplex(7, 5)
    for slug, about, entry, reason in (
        ("negative", "a negative entry", -0.5, "negative"),
        ("nan", "an entry that is NaN", NAN, "non-finite"),
    ):
        bad = v.copy()
        bad[2, 3] = entry
        yield ask(f"{op}/refuse-{slug}", about, {"vectors": bad, "codes": codes(11, 5)},
                  "decode-takes-anything", attributes={"method": "dot"}, reject=reason)
    for method in ("dot", "likelihood"):
        yield ask(f"{op}/refuse-no-codes-by-{method}", f"no codes to choose from, by {method}",
                  {"vectors": v, "codes": codes(11, 5)[:0]}, attributes={"method": method},
                  reject="no-samples")
    yield ask(f"{op}/refuse-other-width", "vectors of five bits, codes of four",
              {"vectors": v, "codes": codes(11, 4)}, attributes={"method": "dot"}, reject="shape")
    yield ask(f"{op}/refuse-other-method", "a method that nobody knows",
              {"vectors": v, "codes": codes(11, 5)}, attributes={"method": "nearest"},
              reject="option")
