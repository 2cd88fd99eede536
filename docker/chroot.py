"""Builds a Dockerfile where no container engine runs: each step in a fresh Debian under chroot, as root.

    apt-get install debootstrap
    python docker/chroot.py docker/Dockerfile /var/tmp/image --bind /etc/pip.conf
    python docker/chroot.py docker/Dockerfile /var/tmp/image --run train debug=fast

What FROM names is a Debian with its own Python 3 in place of the image, and both stages share it; everything else is
done as it is written. It shows that the steps work and that what they leave works for a user without rights.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KERNEL = ("/proc", "/sys", "/dev")
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"


def steps(text: str) -> list[tuple[str, str]]:
    """Instruction and words of each step."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in joined.splitlines()]


class Image:
    """A folder with a Debian in it.

    Args:
        root: the folder.
        context: what COPY copies from.
    """

    def __init__(self, root: Path, context: Path) -> None:
        self.root, self.context = root, context
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }
        self.folder, self.user = "/", "root"
        self.entry: list[str] = []

    def debian(self) -> None:
        """Makes the Debian."""
        python = self.root / "usr/local/bin/python"
        if not python.is_symlink():
            command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(self.root)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            python.symlink_to("/usr/bin/python3")

    @contextmanager
    def lent(self, paths: list[str]) -> Iterator[None]:
        """Lends the Debian folders of this machine, to be read alone, and copies of files, and takes them back."""
        mounted: list[Path] = []
        before: dict[Path, bytes | None] = {}
        try:
            for path in [*KERNEL, *paths]:
                target = self.root / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                if not Path(path).is_dir():
                    before[target] = target.read_bytes() if target.exists() else None
                    shutil.copy(path, target)
                    continue
                target.mkdir(exist_ok=True)
                subprocess.run(["mount", "--bind", path, str(target)], check=True)
                mounted.append(target)
                if path not in KERNEL:
                    subprocess.run(["mount", "-o", "remount,bind,ro", str(target)], check=True)
            shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
            yield
        finally:
            for target in reversed(mounted):
                subprocess.run(["umount", "--lazy", str(target)])
            for target, content in before.items():
                target.unlink() if content is None else target.write_bytes(content)

    def shell(self, command: str) -> None:
        """Runs a line in the folder, as the user, that the steps before have set."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        within = f"cd {shlex.quote(self.folder)} && {command}"
        users = [] if self.user == "root" else [f"--userspec={self.user}"]
        subprocess.run(
            ["chroot", *users, str(self.root), "env", "-i", *variables, "/bin/sh", "-ec", within], check=True
        )

    def copy(self, words: str) -> None:
        """COPY, from the context; from another stage it is there already."""
        *sources, target = words.split()
        if sources[0].startswith("--from="):
            return
        place = self.root / (self.folder + "/" + target if not target.startswith("/") else target).lstrip("/")
        for source in sources:
            path = self.context / source
            if path.is_dir():
                shutil.copytree(path, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)

    def step(self, instruction: str, words: str, *, only_settings: bool) -> None:
        """One step of the file; with ``only_settings`` what changes no file."""
        if instruction == "FROM":
            self.folder, self.user = "/", "root"
        elif instruction in ("ENV", "ARG"):
            for name, value in re.findall(r'(\w+)=("[^"]*"|\S*)', words):
                value = value.strip('"')
                self.environment[name] = re.sub(r"\$(\w+)", lambda m: self.environment.get(m[1], ""), value)
                if not self.environment[name]:
                    del self.environment[name]
        elif instruction == "WORKDIR":
            self.folder = words
            (self.root / words.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction == "USER":
            self.user = words
            home = next(
                line.split(":")[5]
                for line in (self.root / "etc/passwd").read_text().splitlines()
                if words in line.split(":")[:3:2]
            )
            self.environment["HOME"] = home
        elif instruction == "ENTRYPOINT":
            self.entry = json.loads(words)
        elif only_settings or instruction == "CMD":
            return
        elif instruction == "RUN":
            self.shell(words)
        elif instruction == "COPY":
            self.copy(words)
        else:
            sys.exit(f"{instruction} {words}: this step is not known here.")


def main() -> None:
    """Builds, or runs what was built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--bind", nargs="*", default=[], help="files and folders of this machine that the steps need")
    parser.add_argument("--run", nargs=argparse.REMAINDER, help="instead of building: words for the entry point")
    given = parser.parse_args()
    if os.geteuid():
        sys.exit("chroot needs root.")
    image = Image(given.root, Path(__file__).resolve().parents[1])
    if given.run is None:
        image.debian()
    with image.lent(given.bind):
        for instruction, words in steps(given.dockerfile.read_text()):
            if given.run is None:
                print(f"{instruction} {words}", flush=True)
            image.step(instruction, words, only_settings=given.run is not None)
        if given.run is not None:
            image.shell(shlex.join([*image.entry, *given.run]))


if __name__ == "__main__":
    main()
