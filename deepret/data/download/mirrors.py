"""Which files a published set has, where they are, and how it is seen that they are there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, ValidationError, model_validator
from yaml import YAMLError  # type: ignore[import-untyped]

from deepret.errors import UserError

MIRRORS = Path(__file__).with_name("mirrors.yaml")
"""The sets that deepret knows."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Digits = Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{32}|[0-9a-fA-F]{64}|https?://\S+)$")]


class File(BaseModel):
    """One file of a set; see the head of mirrors.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    urls: Annotated[list[Address], Field(min_length=1)]
    checksum: dict[Literal["md5", "sha256"], Digits] | None = None
    size: PositiveInt | None = None
    unpack: str | None = None
    keep: str | None = None
    inside: str = ""
    there: list[dict[str, PositiveInt]] = []
    photographs: bool = False
    parts: list[int] | None = None

    @model_validator(mode="after")
    def _places(self) -> File:
        if (self.unpack is None) == (self.keep is None):
            raise ValueError("give one of unpack and keep")
        if self.parts is not None and not (len(self.parts) == 2 and self.parts[0] <= self.parts[1]):
            raise ValueError("parts: give the first number and the last one")
        if self.parts is not None:
            try:
                _filled(self.model_dump(exclude={"parts"}), self.parts[0])
            except (LookupError, ValueError, AttributeError, TypeError):
                raise ValueError("with parts nothing but {part} may stand in braces") from None
        if "/" in self.name or any(
            PurePosixPath(p).is_absolute() or ".." in PurePosixPath(p).parts for p in (self.unpack, self.keep) if p
        ):
            raise ValueError("name, unpack and keep stay below the root")
        return self

    def numbered(self) -> list[File]:
        """The file, or where it has parts, all of them, their numbers in the places of ``{part}``."""
        if self.parts is None:
            return [self]
        first, last = self.parts
        each = self.model_dump(exclude={"parts"})
        return [File.model_validate(_filled(each, part)) for part in range(first, last + 1)]


class Published(BaseModel):
    """A set: where it is described, its files, and where none can be fetched, what is to be done by hand."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    site: str
    files: list[File | list[File]] = []
    by_hand: str = ""

    def all_files(self) -> list[File]:
        """The files one by one."""
        flat = [file for item in self.files for file in (item if isinstance(item, list) else [item])]
        return [part for file in flat for part in file.numbered()]


def read_mirrors(path: Path = MIRRORS) -> dict[str, Published]:
    """The sets by name.

    Raises:
        UserError: the file cannot be read, with the first thing that is wrong in it.
    """
    try:
        found: Any = OmegaConf.to_container(OmegaConf.load(path))
        return {str(name): Published.model_validate(node) for name, node in found.items()}
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise UserError(f"{path}: {place or 'a set'}: {wrong['msg']} (it is {wrong['input']!r:.80}).") from None
    except (OSError, UnicodeDecodeError, YAMLError, AttributeError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _filled(node: Any, part: int) -> Any:
    """A copy with the part's number in each text."""
    if isinstance(node, str):
        return node.format(part=part)
    if isinstance(node, list):
        return [_filled(item, part) for item in node]
    if isinstance(node, dict):
        return {key: _filled(value, part) for key, value in node.items()}
    return node
