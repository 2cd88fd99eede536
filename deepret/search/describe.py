"""The one way from photographs to codes: training, evaluation, index and page all describe with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from deepret.data.check import report
from deepret.data.photo import Photo
from deepret.errors import UserError
from deepret.search.code_cache import CodeCache, fingerprint, photos_key
from deepret.search.looked import Store, look
from deepret.search.sets import joined, padded_sets

if TYPE_CHECKING:
    from deepret.models.network import Network


LACK = ("no local feature", "Leave such photographs out.")
"""What a photograph without a code has none of, and how to mend it, unless the backbone's ``lack`` says otherwise."""


class Describer:
    """Describes photographs with a network, in batches of one shape, so that each gets the code that it gets alone.

    A network whose aggregation keeps regions apart gives sets of them, as one padded table (n, K, D): K is the largest
    number of regions of an image, and the rows of those that have fewer end with zeros.

    The network is used as it stands at each call, in evaluation mode, and left as it was, modes and all; so is the
    caller's random state.

    Args:
        network: input, backbone, regions, pooling, projection, weighting, aggregation and head.
        batch_size: photographs at once; changes speed and memory, not the codes.
        workers: processes that decode; 0 decodes in this one.
        device: where the network runs.
        cache: folder where codes are kept under the content of (weights, settings, photographs), or None.
        precision: ``32`` is full float32, whatever the network was trained in; ``bf16`` is faster where the machine has
            instructions for it, and moves the codes a little.
        progress: whether to show a bar on a terminal.
        store: where the backbone's maps are kept, or None: then they are made each time.
    """

    def __init__(
        self,
        network: Network,
        *,
        batch_size: int,
        workers: int,
        device: torch.device | str = "cpu",
        cache: Path | None = None,
        precision: Literal["32", "bf16"] = "32",
        progress: bool = True,
        store: Store | None = None,
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        self.workers = workers
        self.device = torch.device(device)
        self.cache = None if cache is None else CodeCache(cache)
        self.precision = precision
        self.progress = progress
        self.store = store

    def __call__(self, photos: Sequence[Photo], sizes: Sequence[tuple[int, int]] | None = None) -> Tensor:
        """Codes (n, D), or sets of them (n, K, D), float32 on the CPU, in the order of the photographs.

        Args:
            photos: n of them.
            sizes: upright width and height of each file in pixels, where they are known: saves reading n headers.

        Raises:
            UserError: no photograph, one that cannot be read, one whose code is no number, or one whose code is zero,
                unless that is of local features and others have some.
        """
        if not photos:
            raise UserError("there is no photograph to describe.")
        key, codes = self.known(photos)
        if codes is None:
            found, positions = self.share(photos, sizes)
            codes = torch.empty_like(found)
            codes[positions] = found
            self.keep(key, codes)
        self.tell_zeros(codes, photos)
        return codes

    def tell_zeros(self, codes: Tensor, photos: Sequence[Photo]) -> None:
        """Warns once of all photographs without a local feature: their codes are zero, as are all scores.

        Raises:
            UserError: not one of them has any.
        """
        zero = torch.nonzero((codes == 0).flatten(1).all(dim=1)).flatten().tolist()
        if not zero:
            return
        what, mend = getattr(self.network.backbone, "lack", LACK)
        named = ", ".join(str(photos[row].path) for row in zero[:2]) + (", …" if len(zero) > 2 else "")
        if len(zero) == len(photos):
            of = "it" if len(zero) == 1 else f"any of the {len(zero):,} photographs"
            raise UserError(f"{named}: there is {what} in {of}, so there is no code. {mend}")
        report(
            f"{len(zero):,} of {len(photos):,} photographs {'have' if len(zero) > 1 else 'has'} {what} and a code of "
            f"zero, which finds nothing and is found by nothing: {named}. {mend}"
        )

    def known(self, photos: Sequence[Photo]) -> tuple[str, Tensor | None]:
        """The key of the photographs' codes in the cache, and these, where they are there."""
        if self.cache is None:
            return "", None
        parts = (fingerprint(self.network), self.precision, photos_key(photos))
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return key, self.cache.read(key, len(photos))

    def keep(self, key: str, codes: Tensor) -> None:
        """Puts codes into the cache, where there is one."""
        if self.cache is not None:
            self.cache.write(key, codes)

    def share(
        self, photos: Sequence[Photo], sizes: Sequence[tuple[int, int]] | None = None, rank: int = 0, world: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The codes of one rank's share of the photographs, in the order in which they were computed.

        Returns:
            codes (m, D) float32, or sets of them (m, K, D), and the positions (m,) int64 of their photographs; over all
            ranks each position once.

        Raises:
            UserError: a photograph that cannot be read, one whose code is no number, or one whose code is zero and not
                of local features.
        """
        codes, positions = [], []
        self.network.to(self.device)
        with (
            torch.random.fork_rng(devices=[]),
            evaluating(self.network),
            torch.inference_mode(),
            exactly(self.device, self.precision),
            tqdm(
                total=-(-len(photos) // world),
                unit=" images",
                desc="describing",
                disable=None if self.progress else True,
                leave=False,
            ) as bar,
        ):
            for views, where in look(
                self.network,
                photos,
                sizes,
                batch_size=self.batch_size,
                workers=self.workers,
                device=self.device,
                rank=rank,
                world=world,
                store=self.store,
            ):
                found = self.network.merged(views, len(where))
                rows = found.vectors.float().cpu()
                if not getattr(self.network.aggregation, "one_code", True):
                    rows = padded_sets(rows, found.image.cpu(), len(where))
                elif len(rows) != len(where):
                    raise UserError(
                        f"this network gives {len(rows)} codes for {len(where)} photographs: take an aggregation that "
                        f"makes one of them, such as aggregation=sum."
                    )
                _refuse(rows, where, photos, zero=not getattr(self.network.backbone, "local", False))
                codes.append(rows)
                positions.append(where)
                bar.update(len(rows))
        if not codes:  # a rank may have nothing to do
            return torch.empty(0, 0), torch.empty(0, dtype=torch.int64)
        return joined(codes), torch.cat(positions)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode, and afterwards each module back into its own mode (some may be frozen)."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def exactly(device: torch.device, precision: Literal["32", "bf16"]) -> Iterator[None]:
    """Computes in the precision that is asked for, whatever the caller has switched on around it."""
    with ExitStack() as stack:
        stack.enter_context(torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"))
        if device.type == "cuda":  # its convolutions round to 10 bits unless told otherwise
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=precision != "32"))
        yield


def _refuse(codes: Tensor, positions: Tensor, photos: Sequence[Photo], zero: bool) -> None:
    """Refuses codes that are no numbers, and those that are zero, of sets in all objects, where ``zero`` says so."""
    lengths = codes.flatten(1).norm(dim=1)
    for row in torch.nonzero(~lengths.isfinite() | (lengths == 0) & zero).flatten().tolist():
        wrong = (
            "zero: nothing in it excites the network. Leave the photograph out."
            if lengths[row] == 0
            else "no number: the network's weights have diverged. Train with a smaller optimizer.lr, or take another "
            "checkpoint."
        )
        raise UserError(f"{photos[int(positions[row])].path}: its code is {wrong}")
