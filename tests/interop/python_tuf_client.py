#!/usr/bin/env python3
"""Reads a TUF repository in a directory with python-tuf's client, the reference implementation.

    python_tuf_client.py ROOT.json METADATA_DIR [--target NAME]... [--expect-missing NAME]...
                         [--targets-dir DIR] [--cache DIR [--from-cache]]
                         [--rotations N]

ROOT.json is the root the client trusts; it goes on from there through the newer ones in
METADATA_DIR. Each `--target` must resolve through the delegations, each `--expect-missing` must
not. With `--targets-dir` the resolved targets are downloaded too, so that length and hash are
compared. `--cache` keeps the client's state between two runs, which is what rollback protection
works on; without it every run is a client's first. `--from-cache` begins
from the root in it, as releases did that took none from the caller. `--rotations` is the most new roots in one
update, which was 32 in releases before 5.1.

Prints what was seen as JSON and exits 0; exits 1 with the error on stderr. No network: the
fetcher reads files, and a file that isn't there is the 404 that ends a chain of roots.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

METADATA = "files://metadata/"
TARGETS = "files://targets/"


class FileFetcher(FetcherInterface):
    """Serves two directories under the base addresses above."""

    def __init__(self, places: dict[str, Path]) -> None:
        self.places = {base: path.resolve() for base, path in places.items()}

    def _fetch(self, url: str) -> Iterator[bytes]:
        for base, directory in self.places.items():
            if url.startswith(base):
                # A delegated role's name is quoted once by the client; `a/b` is a file `a%2Fb`.
                quoted = url[len(base) :]
                for name in (quoted, unquote(quoted)):
                    path = (directory / name).resolve()
                    if path.is_relative_to(directory) and path.is_file():
                        return iter([path.read_bytes()])
        raise DownloadHTTPError(f"no file for {url}", 404)


def read(args: argparse.Namespace, cache: Path) -> dict:
    """Does what a client does, and says what it saw."""
    places = {METADATA: args.metadata}
    if args.targets_dir:
        places[TARGETS] = args.targets_dir
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    updater = Updater(
        metadata_dir=str(cache),
        metadata_base_url=METADATA,
        target_dir=str(downloads),
        target_base_url=TARGETS,
        fetcher=FileFetcher(places),
        bootstrap=None if args.from_cache else args.root.read_bytes(),
        config=UpdaterConfig(max_root_rotations=args.rotations) if args.rotations else None,
    )
    updater.refresh()
    targets = {}
    for name in args.target:
        info = updater.get_targetinfo(name)
        if info is None:
            raise LookupError(f"no role lists {name}")
        if args.targets_dir:
            updater.download_target(info)
        targets[name] = {"length": info.length, "hashes": info.hashes}
    for name in args.expect_missing:
        if updater.get_targetinfo(name) is not None:
            raise LookupError(f"{name} is listed, and must not be")
    return {"roles": versions(cache), "targets": targets, "missing": args.expect_missing}


def versions(cache: Path) -> dict[str, int]:
    """The versions that the client has verified and kept."""
    kept = {}
    for path in sorted(cache.glob("*.json")):
        kept[unquote(path.stem)] = Metadata.from_file(str(path)).signed.version
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description="read a TUF repository with python-tuf")
    parser.add_argument("root", type=Path)
    parser.add_argument("metadata", type=Path)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--expect-missing", action="append", default=[])
    parser.add_argument("--targets-dir", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--from-cache", action="store_true")
    parser.add_argument("--rotations", type=int)
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            seen = read(args, args.cache or Path(temporary))
    except Exception as error:  # Whatever a client stops at is the result.
        print(f"python-tuf: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(seen, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
