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


@pytest.mark.slow
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
        assert set(node) - {"_target_", "defaults"} == wanted, f"conf/{group}/{option}.yaml"


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


def test_an_option_outside_may_not_have_the_name_of_one_inside(tmp_path: Path) -> None:
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "triplet.yaml").write_text("_target_: mine.Triplet\n")
    with pytest.raises(UserError, match=r"loss/triplet.yaml: loss=triplet is deepret's own; give it another name"):
        config.compose("train", [], [str(tmp_path)])


@pytest.mark.parametrize("program", ["train", "eval"])
def test_attention_is_the_grid_with_a_weighting_that_other_words_may_take_away(program: str) -> None:
    def parts(*words: str) -> list[str]:
        found = composed(*words, program=program)
        return [found[part]["_target_"].rpartition(".")[2] for part in ("regions", "weighting")]

    assert parts() == ["Grid", "Uniform"]
    assert parts("regions=attention") == parts("experiment=rmac", "regions=attention") == ["Grid", "Attention"]
    assert parts("experiment=regional_attention") == ["Grid", "Attention"]
    assert parts("regions=attention", "weighting=centre") == ["Grid", "Centre"]
    assert parts("experiment=regional_attention", "regions=grid") == ["Grid", "Uniform"]
    assert parts("regions=rpn", "weighting=attention") == ["RPN", "Attention"]
    assert composed("regions=attention", "regions.levels=5", program=program)["regions"]["levels"] == 5
    assert composed("regions=attention", "weighting.hidden=8", program=program)["weighting"]["hidden"] == 8


def test_what_an_option_brings_is_read_from_its_file(tmp_path: Path) -> None:
    assert config.brought("regions", "attention") == {"weighting": "attention"}
    assert config.brought("regions", "rpn_spread") == config.brought("regions", "none such") == {}
    (tmp_path / "regions").mkdir()
    text = "defaults: [grid, override /weighting@_global_.weighting: centre, override /head: none]\n"
    (tmp_path / "regions" / "mine.yaml").write_text(text)
    assert config.brought("regions", "mine", [str(tmp_path)]) == {"weighting": "centre", "head": "none"}


def test_composing_goes_on_within_a_sweep() -> None:
    with initialize_config_dir(str(config.conf_dir()), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert config.compose("eval", ["regions=rpn"]).regions.top == 32
        assert GlobalHydra.instance().hydra is running
    assert GlobalHydra.instance().hydra is None


def test_an_experiment_is_scored_with_the_parts_that_it_names() -> None:
    words = ["experiment=landmarks", "data.root=x", "dims=64", "input.size=300", "stages.fit_images=5"]
    found, trained = composed(*words, program="eval"), composed(*words[:2])
    for part in ("input", "backbone", "regions", "pooling", "projection", "weighting", "aggregation", "head", "data"):
        wanted = trained[part] | ({"size": 300} if part == "input" else {})
        assert found[part] == wanted
    assert found["dims"] == 64
    assert found["stages"]["fit_images"] == 5
    assert found["stages"]["_target_"].endswith("FitSettings")
    assert not {"loss", "batch", "boxes", "optimizer", "trainer"} & set(found)
    usual = composed("data=catalogue", "data.root=x", program="eval")
    assert {key for key in usual if not isinstance(usual[key], dict) and found[key] != usual[key]} == {"dims"}


def test_single_settings_of_an_experiment_hold_where_the_command_line_says_nothing_else() -> None:
    assert composed("experiment=retraining", program="eval")["output"] == "outputs/retraining"
    found = composed("experiment=retraining", "output=there", "gallery=true", "dim=64", program="eval")
    assert (found["output"], found["gallery"], found["dim"]) == ("there", True, 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backbone", "layer"),
    [
        ("neural_codes_l5", "lite0.Lite0", "block"),
        ("neural_codes_l6", "lite0.Lite0", "pooled"),
        ("neural_codes_l7", "lite0.Lite0", "logits"),
        ("neural_codes_l5_alexnet", "torchvision.Torchvision", "features"),
        ("neural_codes_l6_alexnet", "torchvision.Torchvision", "classifier.2"),
        ("neural_codes_l7_alexnet", "torchvision.Torchvision", "classifier.5"),
    ],
)
def test_neural_codes_are_of_their_layer_and_are_retrained_by_classification(
    name: str, backbone: str, layer: str
) -> None:
    found, trained = composed(f"experiment={name}", program="eval"), composed(f"experiment={name}")
    for one in (found, trained):
        assert one["backbone"]["_target_"] == f"deepret.models.backbone.{backbone}"
        assert one["backbone"]["layer"] == layer
        assert (one["input"]["_target_"].rpartition(".")[2], one["input"]["size"]) == ("Square", 224)
        parts = [one[part]["_target_"].rpartition(".")[2] for part in ("regions", "pooling", "projection", "head")]
        assert parts == ["Whole", "Flatten" if "l5" in name else "Max", "NoProjection", "L2"]
    assert trained["loss"]["_target_"].endswith("Classification")
    assert "loss" not in found


@pytest.mark.slow
def test_a_mistake_beside_an_experiment_is_said_as_elsewhere() -> None:
    for word, said in (("poling=max", "pooling"), ("pooling=mx", "'max'"), ("loss=triplet", "eval has no loss")):
        with pytest.raises(UserError, match=said):
            composed("experiment=landmarks", "data.root=x", word, program="eval")
    with pytest.raises(UserError, match="'landmarks'"):
        composed("experiment=landmark", program="eval")
