from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.models.aggregation.none import NoAggregation
from deepret.models.aggregation.sum import Sum
from deepret.models.backbone.rootsift import RootSIFT
from deepret.models.head.l2 import L2
from deepret.models.head.none import NoHead
from deepret.models.input.longer import Longer
from deepret.models.network import Network
from deepret.models.pooling.max import Max
from deepret.models.projection.none import NoProjection
from deepret.models.regions.grid import Grid
from deepret.models.types import Codes
from deepret.models.weighting.uniform import Uniform
from deepret.search import describe
from deepret.search.describe import Describer
from deepret.search.exact import top_k
from deepret.search.sets import joined

SIZES = [(64, 48), (48, 64), (64, 64), (80, 60), (64, 48), (96, 40), (48, 64), (64, 48), (33, 64), (64, 48), (16, 12)]


class Convolutions(nn.Module):
    """A backbone of two layers, with dropout and batch normalisation, which must not show in codes.

    What it saw is kept by the class: an attribute of the module would count as a setting.
    """

    seen: ClassVar[list[tuple[int, ...]]] = []
    dtypes: ClassVar[set[torch.dtype]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Conv2d(8, 8, 3, padding=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(images)
        self.seen.append(tuple(images.shape))
        self.dtypes.add(maps.dtype)
        return maps


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    Convolutions.seen.clear()
    Convolutions.dtypes.clear()
    return Network(
        input=Longer(mean=[0.5] * 3, std=[0.25] * 3, size=64),
        backbone=Convolutions(),
        regions=Grid(),
        pooling=Max(),
        projection=NoProjection(channels=8),
        weighting=Uniform(),
        aggregation=Sum(),
        head=L2(),
    )


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    folder, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    made = []
    for i, (width, height) in enumerate(SIZES):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        made.append(Photo(folder / f"{i}.png"))
    return [*made, Photo(made[2].path, (8.0, 4.0, 56.0, 40.0))]


def describer(network: Network, **changes: object) -> Describer:
    return Describer(network, **{"batch_size": 4, "workers": 0, **changes})


def one_by_one(network: Network, photos: list[Photo]) -> Tensor:
    """The obvious way: each photograph decoded, put through the network alone, in evaluation mode."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(network.input.tensor(photo)[None]).vectors for photo in photos])


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (4, 0), (64, 0), (3, 1), (2, 2)])
def test_any_batch_and_any_number_of_workers_give_the_codes_of_one_at_a_time(
    network: Network, photos: list[Photo], batch_size: int, workers: int
) -> None:
    found = describer(network, batch_size=batch_size, workers=workers)(photos)
    assert found.dtype == torch.float32
    assert torch.allclose(found, one_by_one(network, photos), atol=1e-5, rtol=0)
    assert len(found.unique(dim=0)) == len(photos)  # each has its own, in its own place
    assert max(shape[0] for shape in network.backbone.seen) <= batch_size


def test_batches_really_hold_several_photographs(network: Network, photos: list[Photo]) -> None:
    describer(network)(photos)
    assert len(network.backbone.seen) < len(photos)
    assert sum(shape[0] for shape in network.backbone.seen) == len(photos)


def test_order_and_known_sizes_do_not_change_codes(network: Network, photos: list[Photo]) -> None:
    sizes = [*SIZES, SIZES[2]]
    found = describer(network)(photos, sizes)
    assert torch.allclose(describer(network)(photos[::-1]), found.flip(0), atol=1e-5, rtol=0)


def test_the_shares_of_several_ranks_cover_every_photograph_once(network: Network, photos: list[Photo]) -> None:
    whole = describer(network)(photos)
    shares = [describer(network).share(photos, rank=rank, world=3) for rank in range(3)]
    positions = torch.cat([where for _, where in shares])
    assert sorted(positions.tolist()) == list(range(len(photos)))
    assert torch.allclose(torch.cat([codes for codes, _ in shares]), whole[positions], atol=1e-5, rtol=0)


def test_the_network_and_the_random_state_are_left_as_they_were(network: Network, photos: list[Photo]) -> None:
    network.train()
    network.backbone.layers[1].eval()  # frozen statistics
    modes = [module.training for module in network.modules()]
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    describer(network)(photos)
    assert torch.equal(torch.rand(3), wanted)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_training_goes_on_after_describing(network: Network, photos: list[Photo]) -> None:
    """What was made without gradients (a grid that is kept, codes) can still be learned from."""
    found = describer(network)(photos[:1])
    codes = network(network.input.tensor(photos[0])[None]).vectors
    layer = nn.Linear(8, 1)
    (layer(found) * (codes @ found.T)).sum().backward()
    assert network.backbone.layers[0].weight.grad.abs().sum() > 0
    assert layer.weight.grad.abs().sum() > 0


def test_float32_unless_asked_otherwise_even_inside_autocast(network: Network, photos: list[Photo]) -> None:
    exact = describer(network)(photos[:1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(describer(network)(photos[:1]), exact)
    assert network.backbone.dtypes == {torch.float32}
    rough = describer(network, precision="bf16")(photos[:1])
    assert network.backbone.dtypes == {torch.float32, torch.bfloat16}
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05


def test_codes_are_kept_by_weights_settings_and_photographs(
    network: Network, photos: list[Photo], tmp_path: Path
) -> None:
    def asked(chosen: list[Photo] = photos, **changes: object) -> bool:
        network.backbone.seen.clear()
        describer(network, cache=tmp_path, **changes)(chosen)
        return bool(network.backbone.seen)

    assert asked()
    assert not asked()
    assert not asked(batch_size=2, workers=1)  # speed alone
    assert asked(chosen=photos[:3])
    assert asked(precision="bf16")
    network.input.size = 48
    assert asked()
    network.input.size = 64
    assert not asked()
    network.backbone.layers[0].weight.data[0, 0, 0, 0] += 1e-3
    assert asked()


def test_kept_codes_are_the_same_and_a_damaged_file_does_no_harm(
    network: Network, photos: list[Photo], tmp_path: Path
) -> None:
    first = describer(network, cache=tmp_path)(photos)
    assert torch.equal(describer(network, cache=tmp_path)(photos), first)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert torch.equal(describer(network, cache=tmp_path)(photos), first)
    assert torch.equal(describer(network, cache=tmp_path)(photos), first)


def test_a_photograph_without_a_usable_code_is_named(network: Network, photos: list[Photo], tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), (128, 128, 128)).save(path)
    network.head = NoHead()
    network.input.mean.fill_(128.0)
    for layer in network.backbone.layers:
        if isinstance(layer, nn.Conv2d):
            layer.bias.data.zero_()
    with pytest.raises(UserError, match=r"grey.png: its code is zero"):
        describer(network)([*photos, Photo(path)])
    network.backbone.layers[3].bias.data[0] = torch.nan
    with pytest.raises(UserError, match=r"\d+.png: its code is no number: the network's weights"):
        describer(network)(photos)


@pytest.fixture
def local(network: Network) -> Network:
    """The network over local features."""
    network.backbone, network.projection = RootSIFT(), NoProjection(channels=128)
    network.input = Longer(mean=[0.0] * 3, std=[1 / 255] * 3, size=64)
    return network


@pytest.fixture
def flat(tmp_path: Path) -> list[Photo]:
    """Photographs without anything to see."""
    for i in range(3):
        Image.new("RGB", (64, 48), (128, 128, 100 + i)).save(tmp_path / f"grey{i}.png")
    return [Photo(tmp_path / f"grey{i}.png") for i in range(3)]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("keypoints", "no key point and a code of zero, .*: FLAT. Take backbone.where=dense .* or leave such"),
        ("dense", "no patch with a gradient and a code of zero, .*: FLAT. Leave such photographs out."),
    ],
)
@pytest.mark.parametrize("scales", [[1.0], [1.0, 0.5]])
def test_photographs_without_a_local_feature_have_a_code_of_zero_and_are_told_once(
    local: Network,
    photos: list[Photo],
    flat: list[Photo],
    where: Literal["keypoints", "dense"],
    said: str,
    scales: list[float],
) -> None:
    local.backbone = RootSIFT(where=where)
    local.input = Longer(mean=[0.0] * 3, std=[1 / 255] * 3, size=64, scales=scales)
    for count, has, named in (
        (1, "has", "grey0.png"),
        (2, "have", "grey0.png, .*grey1.png"),
        (3, "have", ".*1.png, …"),
    ):
        mixed = [photos[0], *flat[:count], photos[3]]
        with pytest.warns(UserWarning, match="a code of zero") as told:
            found = describer(local, batch_size=2)(mixed)
        assert len(told) == 1
        assert re.search(
            f"^{count} of {2 + count} photographs {has} {said.replace('FLAT', f'.*{named}')}", str(told[0].message)
        )
        assert not found[1:-1].any()
        torch.testing.assert_close(found[[0, -1]], describer(local)([photos[0], photos[3]]))
        scores, _ = top_k(found, found, len(found))
        assert not scores[1:-1].any()  # they find nothing
        assert ((found @ found.T)[:, 1:-1] == 0).all()  # and are found by nothing


def test_codes_of_zero_from_the_cache_are_told_too(
    local: Network, photos: list[Photo], flat: list[Photo], tmp_path: Path
) -> None:
    asked = [photos[0], flat[0]]
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 2 photographs has no key point"):
            found = describer(local, cache=tmp_path / "codes")(asked)
        assert found.any(dim=1).tolist() == [True, False]


@pytest.mark.parametrize("kept", [False, True])
def test_photographs_of_which_none_has_a_local_feature_are_refused(
    local: Network, flat: list[Photo], tmp_path: Path, kept: bool
) -> None:
    describe = describer(local, cache=tmp_path / "codes" if kept else None)
    for _ in range(2):
        with pytest.raises(UserError, match=r"grey0.png: there is no key point in it, so .*Take backbone.where=dense"):
            describe(flat[:1])
    with pytest.raises(UserError, match=r"grey0.png, .*grey1.png, …: .* in any of the 3 photographs, so there is no"):
        describe(flat)


def test_codes_of_local_features_that_are_no_numbers_are_refused(local: Network, photos: list[Photo]) -> None:
    class Broken(nn.Module):
        def forward(self, codes: Codes) -> Codes:
            return Codes(codes.vectors * torch.nan, codes.image)

    local.head = Broken()
    with pytest.raises(UserError, match=r"\d+.png: its code is no number"):
        describer(local)(photos[:2])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_gives_one_message_from_any_worker(
    network: Network, photos: list[Photo], tmp_path: Path, workers: int
) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(photos[0].path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"broken.png") as caught:
        describer(network, workers=workers)([*photos[:2], Photo(path)])
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_networks_with_several_codes_a_photograph_are_refused(network: Network, photos: list[Photo]) -> None:
    class Apart(nn.Module):
        def forward(self, regions: object, weights: object, batch: int) -> Codes:
            return Codes(torch.ones(2 * batch, 8), torch.arange(batch).repeat_interleave(2))

    network.aggregation = Apart()
    with pytest.raises(UserError, match=r"2 codes for 1 photographs.*aggregation=sum"):
        describer(network)(photos[:1])


def test_nothing_to_describe_is_said(network: Network) -> None:
    with pytest.raises(UserError, match="no photograph"):
        describer(network)([])


@pytest.mark.slow
def test_the_bar_counts_images(
    network: Network, photos: list[Photo], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = []

    class Bar(describe.tqdm):  # type: ignore[name-defined]
        def __init__(self, *args: object, **settings: object) -> None:
            bars.append((self, settings))
            super().__init__(*args, **{**settings, "disable": False})

    monkeypatch.setattr(describe, "tqdm", Bar)
    describer(network)(photos)
    ((bar, settings),) = bars
    assert bar.n == len(photos)
    assert settings["disable"] is None  # shown on a terminal only
    assert "images/s" in capsys.readouterr().err
    describer(network, progress=False)(photos)
    assert bars[-1][1]["disable"] is True


@pytest.fixture
def apart(network: Network) -> Network:
    network.aggregation = NoAggregation()
    return network


@pytest.mark.parametrize("batch_size", [1, 4])
def test_sets_of_codes_are_padded_to_the_image_with_most(apart: Network, photos: list[Photo], batch_size: int) -> None:
    found = describer(apart, batch_size=batch_size)(photos)
    apart.eval()
    counts = []
    for row, photo in zip(found, photos, strict=True):
        with torch.no_grad():
            own = apart(apart.input.tensor(photo)[None]).vectors
        counts.append(len(own))
        assert torch.allclose(row[: len(own)], own, atol=1e-5, rtol=0)
        assert not row[len(own) :].any()
    assert found.dtype == torch.float32
    assert found.shape == (len(photos), max(counts), 8)
    assert len({*counts}) > 1


def test_sets_of_several_ranks_are_those_of_one(apart: Network, photos: list[Photo]) -> None:
    whole = describer(apart)(photos)
    shares = [describer(apart).share(photos, rank=rank, world=3) for rank in range(3)]
    positions = torch.cat([where for _, where in shares])
    assert len({codes.shape[1] for codes, _ in shares}) > 1
    assert torch.allclose(joined([codes for codes, _ in shares]), whole[positions], atol=1e-5, rtol=0)


def test_sets_come_out_of_the_cache_as_they_went_in(apart: Network, photos: list[Photo], tmp_path: Path) -> None:
    first = describer(apart, cache=tmp_path)(photos)
    apart.backbone.seen.clear()
    assert torch.equal(describer(apart, cache=tmp_path)(photos), first)
    assert not apart.backbone.seen
    apart.aggregation = Sum()
    assert describer(apart, cache=tmp_path)(photos).shape == (len(photos), 8)


def test_an_image_all_of_whose_objects_are_zero_is_refused(apart: Network, photos: list[Photo]) -> None:
    with torch.no_grad():
        apart.backbone.layers[3].weight.zero_()
        apart.backbone.layers[3].bias.zero_()
    with pytest.raises(UserError, match=r"its code is zero"):
        describer(apart)(photos[:1])
