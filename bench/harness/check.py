"""Two builds of Weir in turns: which commit to compare the tree with, its build, and what moved."""

import contextlib
import fcntl
import os
import shutil
import subprocess

from . import results, stats, table

FOLDER = "build/bench-base"  # always the same: ccache knows its files by their path


class CannotCheck(Exception):
    """One sentence."""


def git(root, *words):
    """The output of a git command, stripped; None if it fails."""
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def choose_base(root, named=None):
    """(commit, why this one). What the branch has changed since it left main, uncommitted changes included; on main
    itself only the uncommitted changes, or else the last commit."""
    if named:
        commit = git(root, "rev-parse", "--verify", "--quiet", named + "^{commit}")
        if commit is None:
            raise CannotCheck(f"there is no commit {named}")
        return commit, named
    head = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        raise CannotCheck("this is no git checkout with a commit")
    for main in ("origin/main", "main"):
        merge_base = git(root, "merge-base", "HEAD", main)
        if merge_base and merge_base != head:
            return merge_base, f"where the branch left {main}"
        if merge_base:
            break
    if git(root, "status", "--porcelain"):
        return head, "HEAD, beside the uncommitted changes"
    parent = git(root, "rev-parse", "--verify", "--quiet", "HEAD~1")
    if parent is None:
        raise CannotCheck("the first commit has nothing to be compared with; name a commit with --base")
    return parent, "the commit before HEAD"


@contextlib.contextmanager
def worktree(root, commit):
    """Path of a checkout of `commit` that is removed at the end. Raises CannotCheck."""
    path = os.path.join(root, FOLDER)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotCheck("another bench/check runs in this checkout") from error
        _remove(root, path)  # what a run that was killed has left
        if git(root, "worktree", "add", "--detach", "--force", path, commit) is None:
            raise CannotCheck(f"git makes no worktree of {commit[:12]} in {FOLDER}")
        try:
            yield path
        finally:
            _remove(root, path)


def _remove(root, path):
    git(root, "worktree", "remove", "--force", path)
    shutil.rmtree(path, ignore_errors=True)  # one that git does not know, or not any more
    git(root, "worktree", "prune")


def build(tree):
    """Builds Weir in `tree`; returns the build folder."""
    try:
        subprocess.run(["scripts/build", "release", "weir", "weirctl"], cwd=tree, check=True, timeout=3600)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotCheck(f"the base does not build: {error}") from error
    return os.path.join(tree, "build/release")


def moved(row):
    """One line: how the second contender of a RowResult stands to the first."""
    base, tree = [one for one in row.results if not one.only_limit]
    for one in (base, tree):
        if one.status != results.OK:
            return f"{row.id:28} not comparable: {one.name} is {one.status}: {one.reason}"
    both_net = base.net is not None and tree.net is not None
    old, new = (base.net, tree.net) if both_net else (base.gross, tree.gross)
    change = stats.compare(old, new, row.higher_is_better)
    return (f"{row.id:28} {table.number(old.median):>11} {table.number(new.median):>11} {change.percent:>+8.1f} %  "
            f"{'net ' if both_net else ''}{row.unit:16} {change.verdict}")
