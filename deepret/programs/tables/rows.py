"""The rows of the table: descriptors by what they are composed of, and networks from checkpoints."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepret import config as configuration
from deepret.errors import UserError, closest
from deepret.models.build import PARTS
from deepret.runs import checkpoint as checkpoints

DESCRIPTORS = (
    *("mac", "spoc", "spoc_centre", "crow", "gem", "rmac", "rmac_integral"),
    *("neural_codes_l5", "neural_codes_l6", "neural_codes_l7"),
    *("fisher16", "fisher256", "vlad", "triangulation1", "triangulation16", "sparse_coding"),
    *("fisher_color", "vlad_sift", "triangulation64_sift", "sparse_sift"),
)
"""The experiments that are rows unless others are named."""
VIEWED = ("mac", "rmac", "gem")
"""Of which several views are tried, where nobody says of which."""
SCALES = "input.scales=[0.7071,1.0,1.4142]"
VIEWS = {
    "3 scales": (SCALES,),
    "3 scales, the largest of each dimension": (SCALES, "input.merge=max"),
    "mirrored": ("input.flip=true",),
    "3 scales, mirrored": (SCALES, "input.flip=true"),
}
COLUMNS = ("data", "benchmark", "index")
"""What words of a column are about; all others are about descriptors."""
ELSEWHERE = ("checkpoint", "dims", "dims_whitening", "cache", "output", "gallery", "keep_maps", "debug", "allow")
"""What no word of a row sets: the table has its own settings for it."""


@dataclass(frozen=True)
class Row:
    """One network.

    Args:
        name: what it is called.
        words: what composes it, as eval.py takes them.
        checkpoint: where it is from, if it is trained.
        before: whether it is the network that the checkpoint's training began with.
    """

    name: str
    words: tuple[str, ...] = ()
    checkpoint: Path | None = None
    before: bool = False


def read_rows(texts: Sequence[str] | None, folders: Sequence[str] = ()) -> list[Row]:
    """Rows from texts such as ``gem pooling.p=4``: an experiment, or none, and words; each once.

    Args:
        texts: None for the usual ones.
        folders: more configuration folders.

    Raises:
        UserError: an experiment that there is not, or words that cannot be a row's.
    """
    known = configuration.groups([*folders])["experiment"]
    found = []
    for text in dict.fromkeys(DESCRIPTORS if texts is None else texts):
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UserError(f"rows: {text!r} cannot be read ({error}): write NAME key=value key=value.") from None
        if not words:
            raise UserError("rows: an empty row; write NAME key=value key=value.")
        if "=" not in words[0]:
            if words[0] not in known:
                raise UserError(f"rows={words[0]}: there is no such experiment; {closest(words[0], known)}")
            words[0] = f"experiment={words[0]}"
        refuse_words(words, (*COLUMNS, *ELSEWHERE), f"rows={text}")
        found.append(Row(text, tuple(words)))
    return found


def refuse_words(words: Sequence[str], heads: Sequence[str], where: str) -> None:
    """Refuses words that set what is not theirs to set.

    Args:
        words: key=value.
        heads: keys, or groups of them, that are not.
        where: what to call the words in a message.

    Raises:
        UserError: one of them does.
    """
    for word in words:
        if "=" not in word:
            raise UserError(f"{where}: cannot read {word!r}: write key=value.")
        if head_of(word) in heads:
            raise UserError(f"{where}: {word} is none of its settings; the table has its own way to say it (--help).")


def head_of(word: str) -> str:
    """The group or the single setting that a word sets something of."""
    return word.lstrip("+~").partition("=")[0].partition(".")[0].partition("@")[0]


def latest(*words: Sequence[str]) -> list[str]:
    """Words of which later ones replace earlier ones of the same setting.

    Args:
        words: of all, in the order in which they hold.
    """
    found: dict[str, str] = {}
    for word in (word for some in words for word in some):
        key = word.lstrip("+~").partition("=")[0]
        found.pop(key, None)
        found[key] = word
    return [*found.values()]


def experiment_of(words: Sequence[str]) -> str:
    """The experiment that words compose as it is; empty where there is none, or a part is another one."""
    keys = {word.lstrip("+~").partition("=")[0]: word.partition("=")[2] for word in words}
    changed = [key for key in keys if key != "input.size" and key.partition(".")[0] in (*PARTS, "dim", "debug")]
    return "" if changed else keys.get("experiment", "")


def checkpoint_rows(paths: Mapping[str, str], rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The networks of checkpoints before their training, and after.

    Raises:
        UserError: a checkpoint that cannot be read, or a name that another row has.
    """
    found = []
    for name, text in paths.items():
        if name in {row.name for row in rows}:
            raise UserError(f"checkpoints: {name} is another row's name, too; give it one of its own.")
        path = Path(text).expanduser()
        checkpoints.load(path)
        found.append((Row(f"{name}, before", (), path, before=True), Row(name, (), path)))
    return found


def viewed_rows(
    views: bool | Sequence[str], rows: Sequence[Row], folders: Sequence[str] = ()
) -> list[tuple[Row, list[tuple[str, Row]]]]:
    """Descriptors of which several views are tried: each as it is, and with each kind of views by its name.

    Args:
        views: false for none, true for the usual ones among the rows, or the first row; or which, as for ``read_rows``.
        rows: of the table.
        folders: more configuration folders.

    Raises:
        UserError: as for ``read_rows``.
    """
    if isinstance(views, bool):
        usual = [row for row in rows if row.name in VIEWED] or list(rows[:1])
        chosen = usual if views else []
    else:
        chosen = read_rows(views, folders)
    return [(row, [(name, with_words(row, more)) for name, more in VIEWS.items()]) for row in chosen]


def check_views(rows: Sequence[Row], words: Sequence[str]) -> None:
    """Refuses words that set what several views are tried of: the one view would have them, too.

    Args:
        rows: of which views are tried.
        words: of all rows, and of columns.

    Raises:
        UserError: one of them does.
    """
    for word in (*words, *(word for row in rows for word in row.words)) if rows else ():
        if word.lstrip("+~").partition("=")[0] in ("input.scales", "input.flip", "input.merge"):
            raise UserError(f"views: {word} is said of the one view, too, so nothing could be gained: leave it out.")


def with_words(row: Row, more: Sequence[str]) -> Row:
    """A descriptor with more words, which are in its name, too."""
    return Row(" ".join([row.name, *more]), (*row.words, *more))
