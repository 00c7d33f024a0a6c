"""Randomness by counter: the published generator, and functions of their arguments alone."""

from __future__ import annotations

import numpy as np

from hoego.train.counter import generator, mix, sample_keys, text_keys, uniforms


def test_uniforms_are_splitmix64() -> None:
    # The first three outputs of SplitMix64 from the state 0 (Vigna's reference, as in Java's SplittableRandom).
    reference = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    expected = [(r >> 11) * 2.0**-53 for r in reference]
    assert uniforms(np.zeros(1, dtype=np.uint64), 3)[0].tolist() == expected


def test_keys_are_those_of_the_position() -> None:
    whole = sample_keys(7, 3, 0, 100)
    assert np.array_equal(whole[40:60], sample_keys(7, 3, 40, 20))
    assert len(set(whole.tolist())) == 100
    others = [sample_keys(8, 3, 0, 100), sample_keys(7, 4, 0, 100), sample_keys(3, 7, 0, 100)]
    assert not any(set(whole.tolist()) & set(o.tolist()) for o in others)


def test_neighbouring_keys_are_unrelated() -> None:
    u = uniforms(sample_keys(0, 0, 0, 20_000), 4)
    assert np.abs(u.mean(0) - 0.5).max() < 0.01
    assert np.abs(u.var(0) - 1 / 12).max() < 0.003
    assert np.abs(np.corrcoef(u.T)[np.triu_indices(4, 1)]).max() < 0.03
    assert abs(np.corrcoef(u[:-1, 0], u[1:, 0])[0, 1]) < 0.03


def test_texts_and_streams_have_their_own_numbers() -> None:
    keys = text_keys(["a", "b", "a"])
    assert keys[0] == keys[2] != keys[1]
    assert not np.array_equal(mix(keys, 1), mix(keys, 2))
    assert generator("order", 1, 2).random() == generator("order", 1, 2).random()
    assert generator("order", 1, 2).random() != generator("mixing", 1, 2).random()
    assert generator("order", 1, 2).random() != generator("order", 2, 1).random()
