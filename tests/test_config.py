from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from deepret import config
from deepret.errors import UserError
from deepret.parts import INJECTED, signature
from deepret.programs.shared import prepare


def composed(*overrides: str, program: str = "train") -> dict:
    return prepare(config.compose(program, list(overrides)), program)


def test_the_default_composes_and_passes() -> None:
    found = composed()
    assert found["loss"]["_target_"] == "deepret.losses.triplet.Triplet"
    assert found["trainer"]["precision"] != "auto"


def plain(node: DictConfig) -> dict:
    return OmegaConf.to_container(node, resolve=False)


OPTIONS = [(group, option) for group, options in config.groups().items() for option in options]


@pytest.mark.parametrize(("group", "option"), [o for o in OPTIONS if o[0] not in ("experiment", "debug")])
def test_every_option_of_every_group_passes(group: str, option: str) -> None:
    node = OmegaConf.load(config.conf_dir() / group / f"{option}.yaml")
    missing = [f"{group}.{key}=x" for key, value in plain(node).items() if value == "???"]
    if (group, option) == ("index", "faiss"):
        pytest.importorskip("faiss", reason="FAISS is not installed")
    if group in ("features", "verification", "shortlist"):
        composed("data.root=x", "out=y", f"{group}={option}", *missing, program="clean")
    else:
        composed(f"{group}={option}", *missing)


@pytest.mark.parametrize("group", ["experiment", "debug"])
def test_every_whole_system_passes(group: str) -> None:
    for option in config.groups()[group]:
        text = (config.conf_dir() / group / f"{option}.yaml").read_text()
        assert f"{group}={option}" in text.split("defaults:")[0], f"{option} opens with its own command"
        composed(f"{group}={option}", *(["data.root=x"] if "data.root=" in text else []))


def test_yaml_lists_every_setting_of_its_part() -> None:
    """What a user may set is written out, each with a comment or a value."""
    for group, option in OPTIONS:
        node = OmegaConf.load(config.conf_dir() / group / f"{option}.yaml")
        if (
            group in ("experiment", "debug")
            or "_target_" not in node
            or node["_target_"].startswith("pytorch_lightning")
        ):
            continue
        wanted = set(signature(node["_target_"])) - INJECTED
        assert set(node) - {"_target_"} == wanted, f"conf/{group}/{option}.yaml"


MISTAKES = [
    (["loss=tripelt"], "loss=tripelt", "'triplet'"),
    (["loss.margn=0.2"], "loss.margn", "'loss.margin'"),
    (["los.margin=0.2"], "los.margin", "loss.margin"),
    (["loss.margin=abc"], "loss.margin='abc'", "number"),
    (["loss.margin=-1"], "loss.margin=-1", "greater than 0"),
    (["loss.reduction=men"], "loss.reduction='men'", "'active' or 'mean' or 'sum'"),
    (["regions.levels=1.5"], "regions.levels=1.5", "int"),
    (["+trainer.nokey=2"], "trainer.nokey", "num_nodes"),
    (["+loss.margine=0.2"], "loss.margine", "'margin'"),
    (["batch.images=two"], "batch.images='two'", "int"),
    (["seed=-1"], "seed=-1", "greater than or equal to 0"),
    (["data=catalogue"], "data.root is missing", "data.root=VALUE"),
    (["projection.whitening=2"], "projection.whitening=2", "less than or equal to 1"),
    (["nonsense"], "'nonsense'", "key=value"),
    (["loss=classification", "mining.margin=${loss.margin}", "mining=semi_hard"], "mining.margin", "loss.margin"),
    (["+nothing=1"], "nothing", "there is no such setting"),
    (["trainer.precision=17"], "trainer.precision=17", "'bf16-mixed'"),
]


@pytest.mark.parametrize(("overrides", "what", "how"), MISTAKES, ids=[m[0][0] for m in MISTAKES])
def test_a_mistake_is_named_with_its_place_and_its_mend(overrides: list[str], what: str, how: str) -> None:
    with pytest.raises(UserError) as error:
        composed(*overrides)
    assert what in str(error.value)
    assert how in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_outside_adds_options(tmp_path: Path) -> None:
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "_target_: deepret.losses.triplet.Triplet\nmargin: 0.7\nreduction: mean\n"
    )
    assert config.compose("train", ["loss=mine"], [str(tmp_path)]).loss.margin == 0.7
    with pytest.raises(UserError, match="'mine'"):
        config.compose("train", ["loss=mina"], [str(tmp_path)])
    with pytest.raises(UserError, match="no such folder"):
        config.compose("train", [], [str(tmp_path / "nowhere")])


def test_composing_goes_on_within_a_sweep() -> None:
    with initialize_config_dir(str(config.conf_dir()), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert config.compose("eval", ["regions=rpn"]).regions.top == 32
        assert GlobalHydra.instance().hydra is running
    assert GlobalHydra.instance().hydra is None
