"""Augmentation: parity with torchvision v2, operation by operation, and the properties of the draws."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandAugment, TrivialAugmentWide

from hoego.errors import TrainError
from hoego.recipe.techniques import AugmentSettings
from hoego.train.augment import Augment, AugmentParams, colour, draw, filters, geometry, policy
from hoego.train.augment.draw import crop_boxes
from hoego.train.counter import sample_keys, uniforms

pytestmark = pytest.mark.torch
NONE = AugmentSettings(flip=0)


def photos(n: int = 4, height: int = 48, width: int = 40) -> torch.Tensor:
    """Smooth, photo-like pictures uint8 [n, 3, H, W]: low frequencies, an edge, a little grain."""
    g = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    out = []
    for i in range(n):
        waves = [
            0.5 + 0.25 * np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in g.uniform(0.3, 1.6, (3, 3))
        ]
        picture = np.stack(waves) + 0.2 * ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.02 * (i + 2)) * g.normal(
            size=(3, 1, 1)
        )
        out.append(np.clip(picture + g.normal(0, 0.01, picture.shape), 0, 1))
    return torch.from_numpy(np.rint(np.stack(out) * 255).astype(np.uint8))


PHOTOS = photos()
UNIT = PHOTOS.float() / 255


def arrays(*values: float) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def maps_of(inverse: np.ndarray, size: tuple[int, int] = (48, 40)) -> torch.Tensor:
    return torch.from_numpy(geometry.to_normalised(inverse, size)[:, :2].astype(np.float32))


@pytest.mark.parametrize("nearest", [False, True])
def test_affine_is_torchvisions(nearest: bool) -> None:
    angle, x, y = arrays(0, 30, -75, 12), arrays(3, 0, -5, 2), arrays(0, 4, 1, -6)
    scale, shear_x, shear_y = arrays(1, 0.8, 1.3, 1), arrays(0, 10, -20, 5), arrays(0, 0, 15, -8)
    inverse = geometry.affine_inverse(angle, x, y, scale, shear_x, shear_y)
    ours = geometry.warp(UNIT, maps_of(inverse), border="black", nearest=nearest)
    mode = InterpolationMode.NEAREST if nearest else InterpolationMode.BILINEAR
    for i in range(4):
        theirs = tv.affine(
            UNIT[i],
            angle=angle[i],
            translate=[x[i], y[i]],
            scale=scale[i],
            shear=[shear_x[i], shear_y[i]],
            interpolation=mode,
        )
        # A nearest neighbour exactly between two pixels may fall either way.
        assert ((ours[i] - theirs).abs() > 1e-3).float().mean() <= (0.004 if nearest else 0.0)


@pytest.mark.parametrize(("axis", "theirs"), [(3, tv.horizontal_flip), (2, tv.vertical_flip)])
def test_flips_are_torchvisions(axis: int, theirs: object) -> None:
    rows = torch.tensor([0, 2])
    ours = geometry.flip_rows(PHOTOS, rows, axis)
    assert torch.equal(ours[rows], theirs(PHOTOS[rows]))  # type: ignore[operator]
    assert torch.equal(ours[1], PHOTOS[1])
    flags = np.array([True, False, True, False])
    still = np.zeros(4, dtype=bool)
    maps = geometry.flip_map(flags if axis == 3 else still, flags if axis == 2 else still)
    warped = geometry.warp(UNIT, torch.from_numpy(maps[:, :2].astype(np.float32)))
    torch.testing.assert_close(warped, ours / 255, atol=1e-4, rtol=0)


def test_resized_crop_is_torchvisions() -> None:
    boxes = np.array([[0, 0, 48, 40], [5, 7, 20, 20], [10, 0, 30, 40], [28, 20, 20, 20]], dtype=np.float64)
    maps = torch.from_numpy(geometry.crop_map(boxes, (48, 40))[:, :2].astype(np.float32))
    ours = geometry.warp(UNIT, maps, size=(32, 24))
    for i, (top, left, h, w) in enumerate(boxes.astype(int).tolist()):
        theirs = tv.resized_crop(UNIT[i], top, left, h, w, [32, 24], antialias=False)
        inner = (slice(None), slice(2, -2), slice(2, -2))  # at the box's border theirs cannot look outside it
        torch.testing.assert_close(ours[i][inner], theirs[inner], atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("brightness", tv.adjust_brightness),
        ("contrast", tv.adjust_contrast),
        ("saturation", tv.adjust_saturation),
    ],
)
def test_colour_blends_are_torchvisions(name: str, theirs: object) -> None:
    factors = torch.tensor([0.5, 0.9, 1.2, 1.6])
    chosen = [factors if name == n else None for n in ("brightness", "contrast", "saturation")]
    terms = colour.linear_colour(UNIT.mean((2, 3)), *chosen)
    ours = colour.apply_linear(UNIT, terms, colour.UNIT)
    for i in range(4):
        torch.testing.assert_close(ours[i], theirs(UNIT[i], float(factors[i])), atol=1e-5, rtol=0)  # type: ignore[operator]


def test_blends_in_sequence_are_torchvisions_where_nothing_is_cut() -> None:
    pale = 0.3 + 0.4 * UNIT
    b, c, s = (
        torch.tensor([0.9, 1.1, 1, 0.8]),
        torch.tensor([1.1, 0.7, 0.9, 1.0]),
        torch.tensor([0.5, 1.2, 0.0, 1.3]),
    )
    ours = colour.apply_linear(pale, colour.linear_colour(pale.mean((2, 3)), b, c, s), colour.UNIT)
    for i in range(4):
        theirs = tv.adjust_contrast(tv.adjust_brightness(pale[i], float(b[i])), float(c[i]))
        theirs = tv.adjust_saturation(theirs, float(s[i]))
        torch.testing.assert_close(ours[i], theirs, atol=2e-4, rtol=0)


def test_hue_gamma_and_grey_are_torchvisions() -> None:
    shifts, gammas = torch.tensor([-0.5, -0.13, 0.07, 0.4]), torch.tensor([0.5, 0.8, 1.0, 2.2])
    hue, gamma = colour.shift_hue(UNIT, shifts), colour.apply_gamma(UNIT, gammas)
    grey = colour.apply_linear(UNIT, colour.linear_colour(None, None, None, torch.zeros(4)), colour.UNIT)
    for i in range(4):
        torch.testing.assert_close(hue[i], tv.adjust_hue(UNIT[i], float(shifts[i])), atol=2e-5, rtol=0)
        torch.testing.assert_close(gamma[i], tv.adjust_gamma(UNIT[i], float(gammas[i])), atol=1e-5, rtol=0)
        torch.testing.assert_close(grey[i], tv.rgb_to_grayscale(UNIT[i], 3), atol=1e-5, rtol=0)


def test_blur_is_torchvisions() -> None:
    sigma = torch.tensor([0.3, 0.9, 1.4, 2.0])
    ours = filters.blur(UNIT, sigma, 4)
    for i in range(4):
        theirs = tv.gaussian_blur(UNIT[i], [9, 9], [float(sigma[i])] * 2)
        torch.testing.assert_close(ours[i], theirs, atol=1e-5, rtol=0)


def test_sharpness_autocontrast_equalize_are_torchvisions() -> None:
    factors = torch.tensor([0.1, 0.6, 1.5, 1.9])
    sharp = filters.sharpness(UNIT, factors)
    for i in range(4):
        torch.testing.assert_close(
            sharp[i], tv.adjust_sharpness(UNIT[i], float(factors[i])), atol=1e-5, rtol=0
        )
    torch.testing.assert_close(filters.autocontrast(UNIT), tv.autocontrast(UNIT), atol=1e-5, rtol=0)
    assert torch.equal((filters.equalize(UNIT) * 255).round().byte(), tv.equalize(PHOTOS))
    flat = torch.full((1, 3, 8, 8), 0.4)
    torch.testing.assert_close(filters.equalize(flat), flat, atol=2 / 255, rtol=0)
    assert torch.equal(filters.autocontrast(flat), flat)
    picture = Image.fromarray(PHOTOS[0].permute(1, 2, 0).numpy())
    pil = torch.from_numpy(np.array(ImageOps.equalize(picture))).permute(2, 0, 1)
    assert torch.equal((filters.equalize(UNIT[:1]) * 255).round().byte()[0], pil)


def test_clahe_with_one_tile_and_no_limit_is_the_cumulative_distribution() -> None:
    grey = PHOTOS[:, :1].expand(-1, 3, -1, -1).float() / 255
    ours = filters.clahe(grey, tiles=1, clip=1e9)
    for i in range(4):
        values = PHOTOS[i, 0].numpy().ravel()
        share = np.searchsorted(np.sort(values), values, side="right") / values.size
        np.testing.assert_allclose(ours[i, 0].numpy().ravel(), share, atol=1e-3)


def test_clahe_limits_contrast_and_interpolates() -> None:
    nearly_flat = 0.5 + 0.01 * photos(1, 64, 64) / 255
    free, limited = filters.clahe(nearly_flat, 4, 1e9), filters.clahe(nearly_flat, 4, 2.0)
    assert limited.std() < 0.2 * free.std()
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    steps = filters.clahe(ramp, 4, 1.0).diff(dim=3)
    assert float(steps.min()) > -1e-3  # a limit of 1 leaves the ramp a ramp: no seams between tiles
    assert float(steps.max()) < 0.05


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", policy.OPS)
def test_policies_operations_are_torchvisions(name: str, wide: bool) -> None:
    theirs = TrivialAugmentWide() if wide else RandAugment()
    space = policy.WIDE if wide else policy.RAND
    make_magnitudes, signed = theirs._AUGMENTATION_SPACE[name]
    for level, sign in ((7, 1), (19, -1), (30, 1)):
        magnitudes = make_magnitudes(31, 48, 40)
        value = 0.0 if magnitudes is None else float(magnitudes[level])
        value = value * sign if signed else value
        # In whole numbers torchvision cuts off twice on the way; the blends are compared in fractions.
        blend = name in ("Brightness", "Color", "Contrast", "Sharpness")
        expected = theirs._apply_image_or_video_transform(
            UNIT if blend else PHOTOS, name, value, interpolation=InterpolationMode.NEAREST, fill=theirs._fill
        )
        ops = np.full(4, policy.OPS.index(name))
        ours = policy.apply_ops(UNIT, ops, np.full(4, level), np.full(4, sign), space)
        difference = (ours * 255 - expected.float() * (255 if blend else 1)).abs()
        assert (difference > (0.01 if blend else 1.001)).float().mean() <= 0.004, (
            f"{name} {level}: {difference.max()}"
        )


def test_policies_are_drawn_for_each_photo() -> None:
    keys = sample_keys(0, 0, 0, 4000)
    drawn = draw(AugmentSettings(policy="trivialaugment"), keys, (32, 32)).policy
    assert drawn is not None
    assert drawn.ops.shape == (1, 4000)
    share = np.bincount(drawn.ops[0], minlength=policy.N_OPS) / 4000
    assert np.abs(share - 1 / policy.N_OPS).max() < 0.02
    assert set(drawn.magnitudes[0]) == set(range(31))
    rand = draw(
        AugmentSettings(policy="randaugment", policy_ops=3, policy_magnitude=7), keys, (32, 32)
    ).policy
    assert rand is not None
    assert rand.ops.shape == (3, 4000)
    assert set(rand.magnitudes.ravel()) == {7}
    assert np.abs(np.corrcoef(rand.ops)[np.triu_indices(3, 1)]).max() < 0.06


def test_normalising_is_torchvisions_in_every_layout() -> None:
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    expected = tv.normalize(UNIT, mean, std)
    for channels_last in (True, False):
        plain = Augment(NONE, mean=mean, std=std, channels_last=channels_last)
        torch.testing.assert_close(plain.plain(PHOTOS), expected, atol=1e-5, rtol=0)
        rows = PHOTOS.permute(0, 2, 3, 1).contiguous()
        out = plain(rows, epoch=0, first=0)
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert out.is_contiguous(memory_format=layout)
    half = Augment(NONE, mean=mean, std=std, dtype=torch.bfloat16)
    assert half.plain(PHOTOS).dtype == torch.bfloat16


def test_a_whole_pass_equals_its_operations_one_after_the_other() -> None:
    settings = AugmentSettings(
        rotate=20, brightness=0.3, contrast=0.3, saturation=0.3, border="black", gamma=0.4
    )
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    augment = Augment(settings, mean=mean, std=std, seed=3)
    keys = sample_keys(3, 5, 100, 4)
    drawn = draw(settings, keys, (48, 40))
    assert drawn.maps is not None
    ours = augment(PHOTOS, epoch=5, first=100)
    moved = geometry.warp(UNIT, torch.from_numpy(drawn.maps), border="black")
    for i in range(4):
        b, c, s, g = (float(v[i]) for v in (drawn.brightness, drawn.contrast, drawn.saturation, drawn.gamma))  # type: ignore[index]
        m = moved[i].mean((1, 2))
        # Cut once at the end: torchvision's blends by their formulas, without the cuts in between.
        x = moved[i] * b
        x = c * x + (1 - c) * b * sum(w * v for w, v in zip(colour.LUMA, m, strict=True))
        x = s * x + (1 - s) * sum(w * v for w, v in zip(colour.LUMA, x, strict=True))
        expected = tv.normalize(tv.adjust_gamma(x.clamp(0, 1), g), mean, std)
        torch.testing.assert_close(ours[i], expected, atol=3e-3, rtol=0)


def test_folded_and_stepwise_normalising_agree() -> None:
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    jitter = {"brightness": 0.9, "contrast": 0.9, "saturation": 0.9}
    folded = Augment(AugmentSettings(flip=0, **jitter), mean=mean, std=std)(PHOTOS, epoch=0, first=0)
    # A blur of probability 0.0001 hits nobody here but takes the path through [0, 1].
    stepwise = Augment(AugmentSettings(flip=0, blur=1e-4, **jitter), mean=mean, std=std)(
        PHOTOS, epoch=0, first=0
    )
    torch.testing.assert_close(folded, stepwise, atol=1e-4, rtol=0)


def test_a_draw_depends_on_seed_epoch_and_position_alone() -> None:
    settings = AugmentSettings(rotate=10, hue=0.1, erase=0.5, policy="randaugment", brightness=0.2)
    many = photos(12)
    augment = Augment(settings, mean=[0.5] * 3, std=[0.25] * 3, seed=9)
    whole = augment(many, epoch=2, first=36)
    parts = torch.cat([augment(many[a : a + 5], epoch=2, first=36 + a) for a in (0, 5, 10)])
    torch.testing.assert_close(whole, parts)
    assert not torch.equal(whole, augment(many, epoch=3, first=36))
    assert not torch.equal(
        whole, Augment(settings, mean=[0.5] * 3, std=[0.25] * 3, seed=8)(many, epoch=2, first=36)
    )
    noisy = Augment(AugmentSettings(noise=0.1), mean=[0.5] * 3, std=[0.25] * 3)
    assert torch.equal(noisy(many, epoch=1, first=0), noisy(many, epoch=1, first=0))


def test_switching_one_operation_on_leaves_the_others_draws() -> None:
    keys = sample_keys(0, 0, 0, 50)
    one = draw(AugmentSettings(brightness=0.2), keys, (32, 32))
    two = draw(AugmentSettings(brightness=0.2, contrast=0.3, erase=0.5, rotate=5), keys, (32, 32))
    assert np.array_equal(one.brightness, two.brightness)  # type: ignore[arg-type]


def test_draws_fill_their_ranges() -> None:
    s = AugmentSettings(
        flip=0.3, grey=0.2, brightness=0.4, hue=0.1, gamma=1.0, blur=0.25, erase=0.4, equalize=0.15, noise=0.1
    )
    drawn = draw(s, sample_keys(1, 0, 0, 20_000), (32, 32))
    values = {name: getattr(drawn, name) for name in AugmentParams.__dataclass_fields__}
    assert values["flip"].mean() == pytest.approx(0.3, abs=0.015)
    assert (values["saturation"] == 0).mean() == pytest.approx(0.2, abs=0.015)
    assert (values["blur"] > 0).mean() == pytest.approx(0.25, abs=0.015)
    assert values["equalize"].mean() == pytest.approx(0.15, abs=0.015)
    assert (values["boxes"].any(1)).mean() == pytest.approx(0.4, abs=0.015)
    for name, low, high in (
        ("brightness", 0.6, 1.4),
        ("hue", -0.1, 0.1),
        ("gamma", 0.5, 2.0),
        ("noise", 0, 0.1),
    ):
        assert low <= values[name].min() < low + 0.01 * (high - low) + 0.01
        assert high - 0.01 * (high - low) - 0.01 < values[name].max() <= high
    assert (values["gamma"] < 1).mean() == pytest.approx(0.5, abs=0.015)
    assert np.abs(np.corrcoef(values["brightness"], values["hue"])[0, 1]) < 0.03


def test_crop_boxes_lie_inside_and_keep_the_area() -> None:
    s = AugmentSettings(crop_area=(0.3, 0.6), crop_ratio=(0.9, 1.1))
    boxes = crop_boxes(s, uniforms(sample_keys(0, 0, 0, 5000), 4), (48, 40))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 0] + boxes[:, 2] <= 48 + 1e-9).all()
    assert (boxes[:, 1] + boxes[:, 3] <= 40 + 1e-9).all()
    area = boxes[:, 2] * boxes[:, 3] / (48 * 40)
    assert area.min() >= 0.3 - 1e-9
    assert area.max() <= 0.6 + 1e-9
    assert area.mean() == pytest.approx(0.45, abs=0.01)


def test_erasing_covers_the_share_of_the_area_with_the_mean() -> None:
    augment = Augment(
        AugmentSettings(flip=0, erase=1.0, erase_area=(0.2, 0.2)), mean=[0.5] * 3, std=[0.25] * 3
    )
    white = torch.full((200, 32, 32, 3), 255, dtype=torch.uint8)
    out = augment(white, epoch=0, first=0)
    erased = (out == 0).all(1).flatten(1).float().mean(1)
    assert float(erased.mean()) == pytest.approx(0.2, abs=0.01)
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_noise_has_the_deviation_that_was_drawn() -> None:
    augment = Augment(AugmentSettings(flip=0), mean=[0.0] * 3, std=[1.0] * 3)
    grey = torch.full((3, 3, 64, 64), 128, dtype=torch.uint8)
    out = augment.apply(grey, AugmentParams(noise=arrays(0.0, 0.02, 0.1)), noise_seed=4)
    np.testing.assert_allclose(out.flatten(1).std(1).numpy(), [0, 0.02, 0.1], rtol=0.03, atol=1e-6)


@pytest.mark.parametrize("bad", [torch.zeros(2, 32, 32, 3), torch.zeros(2, 32, 32, 1, dtype=torch.uint8)])
def test_other_pictures_are_refused(bad: torch.Tensor) -> None:
    with pytest.raises(TrainError, match="uint8"):
        Augment(NONE, mean=[0.5] * 3, std=[0.2] * 3).plain(bad)
