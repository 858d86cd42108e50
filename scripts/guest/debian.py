# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages for another architecture, through apt with folders of its own: no root, the system's apt stays as it is."""
import fcntl
import hashlib
import json
import os
import re
import subprocess
import tarfile
import urllib.parse

SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Error(Exception):
    """What a user can do something about."""


def cache_folder():
    """$GNOMON_CACHE, or where the user's caches are."""
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("GNOMON_CACHE") or os.path.join(user, "gnomon")


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def file_digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def mirror():
    """$GNOMON_DEBIAN_MIRROR, or where the system's own apt gets this suite from."""
    named = os.environ.get("GNOMON_DEBIAN_MIRROR")
    if named:
        return named
    try:
        targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
                                 stdout=subprocess.PIPE, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Error(f"cannot ask apt for a Debian mirror: {error}") from error
    for line in targets.splitlines():
        uri, _, suite = line.rpartition(" ")
        if suite == SUITE:
            return uri.rstrip("/")
    raise Error(f"apt knows no mirror of {SUITE}: name one in GNOMON_DEBIAN_MIRROR")


class Debian:
    """A cache folder with package lists, packages, and what a set of names resolved to.

    Names resolve once; afterwards the same names give the same packages, without network, until `update` is called.
    """

    def __init__(self, architecture="i386", cache=None):
        self.folder = os.path.join(cache or cache_folder(), f"debian-{SUITE}-{architecture}")
        self.architecture = architecture
        self.archives = os.path.join(self.folder, "packages")  # not apt's own folder: --print-uris leaves out what lies there
        self.plans = os.path.join(self.folder, "plans")
        for path in (self.archives, self.plans, os.path.join(self.folder, "lists", "partial")):
            os.makedirs(path, exist_ok=True)
        self.config = os.path.join(self.folder, "apt.conf")
        self._configure()

    def locked(self):
        """A file to be used with `with`: one process at a time works on the cache."""
        lock = open(os.path.join(self.folder, "lock"), "w", encoding="ascii")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def _configure(self):
        """The system's apt.conf.d still counts (proxies, certificates); these come after it."""
        uri = mirror()
        at = {name: os.path.join(self.folder, name) for name in ("lists", "status", "sources.list", "log")}
        files = {
            self.config: f"""Dir::State "{self.folder}";
Dir::State::lists "{at['lists']}";
Dir::State::status "{at['status']}";
Dir::Cache "{self.folder}";
Dir::Log "{at['log']}";
Dir::Etc::sourcelist "{at['sources.list']}";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{self.architecture}";
APT::Architectures {{ "{self.architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
""",
            at["sources.list"]: f"deb [signed-by={KEYRING}] {uri} {SUITE} main\n",
            at["status"]: "",
        }
        for path, text in files.items():
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    if f.read() == text:
                        continue
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

    def _apt(self, *command, cwd=None):
        environment = dict(os.environ, APT_CONFIG=self.config, LC_ALL="C.UTF-8")
        try:
            result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise Error(f"{command[0]} is missing: this needs Debian's apt") from error
        if result.returncode:
            raise Error(f"{' '.join(command)}:\n{result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def update(self):
        """Fetches the package lists and forgets what names resolved to."""
        self._apt("apt-get", "-q", "update")
        for plan in os.listdir(self.plans):
            os.unlink(os.path.join(self.plans, plan))

    def _resolve(self, names, *command):
        """[file, SHA-256] for each package that `command` would fetch; remembered."""
        plan = os.path.join(self.plans, digest(command[0], *names)[:24] + ".json")
        if os.path.exists(plan):
            with open(plan, encoding="utf-8") as f:
                return json.load(f)["files"]
        try:
            out = self._apt("apt-get", "-qq", "--print-uris", *command, *names)
        except Error:
            self.update()  # no lists yet, or a name that is younger than they are
            out = self._apt("apt-get", "-qq", "--print-uris", *command, *names)
        files = sorted(re.findall(r"^'\S+' (\S+) \d+ SHA256:([0-9a-f]{64})$", out, re.M))
        if not files:
            raise Error(f"apt names no package for {' '.join(names)}")
        with open(plan, "w", encoding="utf-8") as f:
            json.dump({"names": names, "files": files}, f, indent=1)
        return files

    def _fetch(self, files):
        """Paths of the packages, after fetching those that are not here yet; apt checks signatures and hashes."""
        missing = [file for file, _ in files if not os.path.exists(os.path.join(self.archives, file))]
        wanted = [file.split("_")[0] + "=" + urllib.parse.unquote(file.split("_")[1]) for file in missing]
        if wanted:
            self._apt("apt-get", "-q", "download", *wanted, cwd=self.archives)
        paths = []
        for file, expected in files:
            path = os.path.join(self.archives, file)
            if file_digest(path) != expected:
                os.unlink(path)
                raise Error(f"{file} was damaged and has been removed; please try again")
            paths.append(path)
        return paths

    def _packages(self, names, *command):
        names = sorted(set(names))
        try:
            return self._fetch(self._resolve(names, *command))
        except Error:
            self.update()  # the mirror may have dropped what the lists named
            return self._fetch(self._resolve(names, *command))

    def packages(self, names):
        """Paths of these packages and all that they depend on."""
        return self._packages(names, "install") if names else []

    def single(self, *names):
        """Paths of these packages alone."""
        return self._packages(names, "download")

    def dependency(self, name, pattern):
        """The first name that matches among the dependencies of a package (a metapackage's real one)."""
        (meta,) = self.single(name)
        depends = subprocess.run(["dpkg-deb", "-f", meta, "Depends"], check=True, capture_output=True, text=True).stdout
        match = re.search(pattern, depends)
        if not match:
            raise Error(f"{name} depends on nothing like {pattern}: {depends}")
        return match[0]


def contents(package):
    """(name, TarInfo, bytes or None) for each member of a package; names without ./ in front."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./").strip("/")
                if name and name != ".":
                    yield name, member, archive.extractfile(member).read() if member.isreg() else None
        process.stdout.read()
    if process.returncode:
        raise Error(f"dpkg-deb could not read {package}")
