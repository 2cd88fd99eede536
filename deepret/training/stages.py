"""The stages of a training, one after the other: ranking, proposals, ranking over the proposals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch

from deepret.benchmarks.split import Split
from deepret.data.catalogue import Catalogue
from deepret.data.check import report
from deepret.data.loading import train_loader
from deepret.data.photo import Box
from deepret.distributed.describe import Together
from deepret.distributed.processes import first
from deepret.distributed.ranks import rank, world
from deepret.errors import UserError
from deepret.models.build import build_network, load_state
from deepret.models.detector.roi_heads import Detector
from deepret.models.network import Network
from deepret.parts import build
from deepret.runs import checkpoint as checkpoints
from deepret.runs.run import Run
from deepret.search.describe import Describer
from deepret.training.batches import EpochBatches, epoch_batches
from deepret.training.callbacks import Hear, KeepBest, KeepMined, SaveState, Watch
from deepret.training.compiled import compile_training
from deepret.training.learning import class_ids, freeze, loss_of, optimiser, ranking_rates
from deepret.training.plan import FIRST, Stage, learns_regions, plan
from deepret.training.preemption import Preemption
from deepret.training.profile import Profile
from deepret.training.proposals.detection import Detection, precision_on
from deepret.training.proposals.joint import BoxBatches, box_loader
from deepret.training.proposals.map_cache import MAPS_A_BATCH, Cached, ShapeBatches, cache_maps
from deepret.training.proposals.stage import Proposals, map_loader, recall_on
from deepret.training.ranking import Ranking, Steps
from deepret.training.references.batch import WholeBatch
from deepret.training.settings import BatchSettings, StageSettings, check_steps
from deepret.training.trainer import stage_trainer


class Training:
    """Runs the stages of one run, each in its own folder, and goes on where the run was cut off.

    Args:
        run: the run's folder and configuration.
        catalogue: the photographs.
        device: where descriptors are computed outside Lightning.
        preemption: hears whether the run is to end.
    """

    def __init__(self, run: Run, catalogue: Catalogue, device: torch.device, preemption: Preemption) -> None:
        self.run = run
        self.config = run.config
        self.catalogue = catalogue
        self.device = device
        self.preemption = preemption
        self.stages: StageSettings = build(self.config["stages"])
        self.batch: BatchSettings = build(self.config["batch"])
        self.logs = build(self.config["logger"])
        self.rankings: dict[str, Path] = {}
        self.known_boxes: list[list[Box]] | None = None

    def check(self) -> None:
        """Refuses, before any work, data that cannot fill a batch or a stage.

        Raises:
            UserError: no train split, fewer classes than a batch takes, batch statistics of batches that are never
                whole, a cap that leaves no batch, a loss that cannot be made, or no boxes where regions are learned.
        """
        if "train" not in self.catalogue.splits:
            raise UserError(
                f"{self.catalogue.root}: there is no train split, so there is nothing to learn from: a flat folder "
                f"without labels trains with data=views data.root={self.catalogue.root}."
            )
        if self.batch.microbatch is not None and self.config["backbone"].get("freeze_batchnorm") is False:
            raise UserError(
                "batch.microbatch with backbone.freeze_batchnorm=false: batch statistics would be those of a few "
                "images; take batch.microbatch=null, or backbone.freeze_batchnorm=true."
            )
        check_steps(self.stages, FIRST, self.config["trainer"].get("limit_train_batches"))
        miner = build(self.config["mining"])
        references = build(self.config["references"])
        learned, kept = self.catalogue.splits.count("train"), getattr(references, "size", 0)
        if kept > learned:
            report(
                f"references.size={kept:,}: more than the {learned:,} images of train, so that older codes of images "
                f"are remembered beside newer ones; take references.size={learned} or less."
            )
        if getattr(miner, "pooled", False) and not isinstance(references, WholeBatch):
            raise UserError(
                "references with mining=pool: mined triplets are compared with nothing else; take references=batch, or "
                "mining=all or mining=semi_hard."
            )
        if any(stage.kind == "ranking" and stage.epochs for stage in plan(self.config)):
            self.batches(miner, 1, None, lambda: 0)
            build(self.config["loss"], class_ids=class_ids(self.catalogue), code_length=1)  # refuses what it cannot be
        if learns_regions(self.config):
            build(self.config["boxes"]).check(self.catalogue)

    def batches(self, miner: Any, steps: int, describe: Describer | None, epoch: Callable[[], int]) -> EpochBatches:
        """The batches of a ranking stage."""
        data, seed = self.config["data"], self.config["seed"]
        return epoch_batches(self.catalogue, miner, self.batch, data, steps, seed, describe, epoch, rank(), world())

    # Running ----------------------------------------------------------------------------------------------------------

    def run_all(self, stages: Sequence[Stage], start: Network) -> Path:
        """Runs what is not finished yet; gives the last stage's best checkpoint.

        Args:
            stages: in their order.
            start: the network of the first stage, its projection fitted.
        """
        run_id = self.run.state.setdefault("wandb", f"{time.strftime('%m%d%H%M%S')}{self.run.state['digest'][:6]}")
        self.run.save()
        self.logs.open(self.run.folder, self.config, run_id)
        best, previous = Path(), None
        for stage in stages:
            folder = self.run.stage(stage.name)
            best = folder / "best.ckpt"
            network = start if previous is None else self.network_of(stage.name, previous)
            freeze(network, stage, self.config)
            if not self.run.finished(stage.name):
                began = time.perf_counter()
                if rank() == 0:
                    print(f"\n{stage.name}", flush=True)
                if stage.epochs == 0:
                    score = None
                    first(lambda: checkpoints.save_network(network, {**self.about(stage), "epoch": 0}, best))  # noqa: B023
                elif stage.kind == "ranking":
                    score = self.rank(stage, network)
                else:
                    score = first(lambda: self.learn_boxes(stage, network))  # noqa: B023
                self.run.note(stage.name, finished=True, score=score, seconds=round(time.perf_counter() - began, 1))
                first(lambda: (folder / "state.ckpt").unlink(missing_ok=True))  # noqa: B023
                self.preemption.end()
            if stage.kind == "ranking":
                self.rankings[stage.name] = best
            previous = best
        return best

    def network_of(self, stage: str, path: Path) -> Network:
        """A stage's network, with the weights of a checkpoint."""
        found = checkpoints.load(path)
        first = stage == FIRST and found["deepret"]["config"]["regions"] != self.config["regions"]
        network = build_network(self.config, weights=False, regions=self.config["first_regions"] if first else None)
        load_state(network, checkpoints.network_state(found), str(path), optional=("regions.",))
        return network

    def rank(self, stage: Stage, network: Network) -> float | None:
        """A ranking stage; gives the best score on val."""
        config, folder = self.config, self.run.folder / stage.name
        miner, loss = build(config["mining"]), loss_of(config["loss"], network, self.catalogue)
        if config.get("compile"):
            compile_training(network.backbone, config["compile"])
        steps = check_steps(self.stages, stage.name, config["trainer"].get("limit_train_batches"))
        module = Ranking(
            network,
            loss,
            miner,
            build(config["references"]),
            lambda m: optimiser(
                config, ranking_rates(m, stage.rate, self.stages.projection_rate), steps * stage.epochs
            ),
            self.about(stage),
            config["seed"],
            self.batch.microbatch,
        )
        batches = self.batches(miner, steps, self.describer(network), lambda: trainer.current_epoch)
        keep = KeepBest(self.val_score(), folder / "best.ckpt", self.stages.validate_every, self.stages.patience)
        mined = [] if batches.prepare is None else [KeepMined(batches.prepare)]
        save = self.saving(stage)
        batches.skip = save.skip
        trainer = self.trainer(stage, steps, keep, *mined, save)
        loader = train_loader(
            self.catalogue,
            self.batch.size,
            self.batch.multiple,
            build(config["augmentation"]),
            batches,
            workers=config["workers"],
            pin=self.device.type == "cuda",
            seed=config["seed"],
            shape=network.input.resized,
        )
        if stage.first_regions or not config["regions"].get("joint", False):
            self.fit(trainer, module, loader, folder)
            return self.best_of(trainer)
        rows, known = first(lambda: self.boxed("train"))
        draws = EpochBatches(
            BoxBatches(len(rows), self.stages.joint_images, steps, config["seed"], rank()),
            lambda: trainer.current_epoch,
        )
        draws.skip = save.skip
        catalogue = self.catalogue.subset(rows)
        images = box_loader(catalogue, known, network.input, draws, config["seed"], config["workers"])
        self.fit(trainer, module, {"ranking": loader, "boxes": images}, folder)
        return self.best_of(trainer)

    def boxed(self, split: str) -> tuple[list[int], list[list[Box]]]:
        """The rows of a split that have boxes, and these, no views; found once, with the network of the first stage."""
        if self.known_boxes is None:
            ranker = self.network_of(FIRST, self.run.folder / FIRST / "best.ckpt")
            self.known_boxes = build(self.config["boxes"]).boxes(self.catalogue, self.describer(ranker, Describer))
        known, views = self.known_boxes, self.catalogue.views
        rows = [i for i, s in enumerate(self.catalogue.splits) if s == split and known[i] and not views[i]]
        return rows, [known[i] for i in rows]

    def cached(self, network: Network, split: str, variants: int, folder: Path) -> Cached:
        """The backbone's maps of the images of a split that have boxes, and these."""
        rows, boxes = self.boxed(split)
        return cache_maps(
            network,
            self.catalogue.subset(rows),
            boxes,
            variants=variants,
            seed=self.config["seed"],
            workers=self.config["workers"],
            device=self.device,
            name=f"maps of {split}",
            folder=folder,
        )

    def learn_boxes(self, stage: Stage, network: Network) -> float | None:
        """The stage of proposals or of detection, over cached maps, in one process.

        Gives the best recall, or average precision, on val, where there are boxes.
        """
        config, folder, seed = self.config, self.run.folder / stage.name, self.config["seed"]
        train = self.cached(network, "train", self.stages.map_variants, folder)
        val = self.cached(network, "val", 1, folder)
        if not len(train):
            raise UserError(
                f"{self.catalogue.root}: no photograph of the train split has a box, so the RPN has nothing to learn."
            )
        limit = config["trainer"].get("limit_train_batches")
        batches = ShapeBatches([m.shape for m in train.maps], MAPS_A_BATCH, seed, limit)
        module: Proposals | Detection
        score: Callable[[Any], float]
        if stage.kind == "proposals":
            steps = self.steps(len(batches), stage, self.stages.proposals_rate)
            module, score, figure = (
                Proposals(network, steps, self.about(stage), seed),
                recall_on(val),
                "proposal recall",
            )
        else:
            detector: Detector = build(config["detector"], channels=network.backbone.channels)
            steps = self.steps(len(batches), stage, detector.rate)
            module = Detection(network, detector, steps, self.about(stage), seed)
            score, figure = precision_on(val), "average precision"
        keep = KeepBest(
            score if len(val) else None,
            folder / "best.ckpt",
            self.stages.validate_every,
            None,
            initial=False,
            name=figure,
        )
        trainer = self.trainer(stage, len(batches), keep, self.saving(stage), alone=True)
        loader = map_loader(train, EpochBatches(batches, lambda: trainer.current_epoch))
        self.fit(trainer, module, loader, folder)
        for maps in (train.maps, val.maps):
            maps.clear()  # whatever still holds the trainer: their room on disk is free now
        return self.best_of(trainer)

    def steps(self, batches: int, stage: Stage, rate: float) -> Steps:
        """Makes the optimiser and the schedule of what learns boxes."""
        return lambda part: optimiser(self.config, [(part, rate)], batches * stage.epochs)

    def fit(self, trainer: pl.Trainer, module: pl.LightningModule, loader: Any, folder: Path) -> None:
        """Lightning's fit, from the state that the run was cut off at where there is one.

        Raises:
            KeyboardInterrupt: the user stopped it.
        """
        state = folder / "state.ckpt"
        profiler = trainer.profiler  # type: ignore[attr-defined]
        profile = profiler if isinstance(profiler, Profile) else None
        if profile is not None:
            profile.watch(cast("torch.nn.Module", module.network))
        trainer.precision_plugin.convert_module(module)  # Lightning does so after it has loaded, and rounded, the state
        try:
            trainer.fit(module, loader, ckpt_path=str(state) if state.is_file() else None)
            if profile is not None and rank() == 0:
                table = profile.tell(folder.name, self.run.folder / "profile.csv") if profile.steps else ""
                print(table or f"{folder.name}: nothing is timed of one step alone, the first", flush=True)
        except SystemExit:
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise

    # Parts of a stage -------------------------------------------------------------------------------------------------

    def trainer(self, stage: Stage, steps: int, keep: KeepBest, *more: pl.Callback, alone: bool = False) -> pl.Trainer:
        """Lightning's trainer of one stage.

        Args:
            stage: what it trains.
            steps: batches an epoch, with ``trainer.limit_train_batches`` taken off already.
            keep: scores, and keeps the best.
            more: callbacks that come after it, in their order.
            alone: whether one process trains while the others wait.
        """
        folder = self.run.folder / stage.name
        state = folder / "state.ckpt"
        found = checkpoints.load(state) if state.is_file() else {"epoch": 0, "global_step": 0}
        callbacks: list[pl.Callback] = [Hear(self.preemption), *self.averages(stage), keep, *more, self.watch(stage)]
        if found["global_step"] and rank() == 0:
            print(f"  goes on after {found['global_step']:,} of {stage.epochs * steps:,} steps", flush=True)
        logger = self.logs.loggers(self.run.folder, stage.name, (int(found["epoch"]), int(found["global_step"])))
        where: dict[str, Any] = {"logger": logger, "default_root_dir": str(folder)}
        if self.config.get("profile"):
            where["profiler"] = Profile()
        return stage_trainer(self.config["trainer"], stage.epochs, steps, callbacks, alone, **where)

    def saving(self, stage: Stage) -> SaveState:
        """What saves a stage's state; proposals, which are quick, begin an epoch again that was cut off."""
        path, ranking = self.run.folder / stage.name / "state.ckpt", stage.kind == "ranking"
        return SaveState(path, self.preemption, self.stages.save_every, within=ranking)

    def watch(self, stage: Stage) -> Watch:
        """What ends the stage where it diverges, and says by which setting it would not."""
        rates = "a smaller optimizer.lr" + (" or stages.proposals_rate" if stage.kind == "proposals" else "")
        clip = self.config["trainer"].get("gradient_clip_val")
        return Watch(stage.name, rates + (", or with trainer.gradient_clip_val=1" if clip is None or clip > 1 else ""))

    def averages(self, stage: Stage) -> list[pl.Callback]:
        """The moving average of the weights, where it is asked for."""
        if self.config["ema"] is None or stage.kind != "ranking":
            return []
        from deepret.training.ema import MovingAverage

        return [MovingAverage(self.config["ema"])]

    def val_score(self) -> Callable[[Any], float] | None:
        """Scores a module's network on the val split; None where there is no val split."""
        if "val" not in self.catalogue.splits:
            return None
        split = Split(self.catalogue, "val", distractors=False)

        def score(module: Any) -> float:
            describe = self.describer(module.network)
            return split.evaluate(describe).metrics["mAP"]

        return score

    def describer(self, network: Network, kind: type[Describer] = Together) -> Describer:
        """What describes photographs with a network while it changes: nothing is cached."""
        return kind(
            network,
            batch_size=self.config["extract_batch"],
            workers=self.config["workers"],
            device=self.device,
            precision=self.config["evaluation_precision"],
            progress=False,
        )

    @staticmethod
    def best_of(trainer: pl.Trainer) -> float | None:
        """The best score of a stage, or None where nothing was scored."""
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        keep = next(c for c in callbacks if isinstance(c, KeepBest))
        return keep.best if keep.score is not None and keep.best > float("-inf") else None

    def about(self, stage: Stage) -> dict[str, Any]:
        """What a stage's checkpoint says of itself: the first stage's network is a network of its own."""
        own = {"regions": self.config["first_regions"]} if stage.first_regions else {}
        return checkpoints.header({**self.config, **own}, stage.name, None)
