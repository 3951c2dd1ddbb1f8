"""Embedding on a Ray cluster: `omote embed --on ray`. A task is a video, or some photos; its table is a part.

The workers are actors, each with the model: one a GPU, or else one a CPU core. They need neither the run nor the
inputs on a shared disk: the files of the model are sent to them, addresses are read where they run, and tables come
back to this process, which writes them (`data/shards.py`). A worker has one task at a time, so at most one table for
each waits in memory. A task whose worker dies, or that raises an error, is tried again, and after MOST_TRIES it is
listed as failed; the same call then tries it anew.

Ray's own retries are not used: they would give a video that kills its worker to every worker without end, and wait
for a worker whose node is gone.
"""

import os
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Unpack

from omote.boundary import explain
from omote.data.build import Skipped, write_skipped
from omote.data.outputs import AXES_FILE
from omote.data.parts import claim_parts
from omote.data.prepare import PHOTOS_PER_JOB
from omote.data.shards import Shard, check_folder, claim_share, read_outcome, record_name
from omote.errors import OmoteError
from omote.features.embed import EmbedOptions, EmbedTask, open_reader
from omote.features.inputs import Input
from omote.features.stream import Source
from omote.features.summary import EmbedSummary, add_summaries, summarise
from omote.files import claimed

MOST_TRIES = 3  # of a task
PATIENCE = 600.0  # s to wait for the first worker, as a cluster may have to start machines
FAILED = "failed: "  # beginning of the reason in `skipped.csv`


class _Result(NamedTuple):
    """What came of a task."""

    files: dict[str, bytes]  # of its part
    outcome: dict[str, Any]  # of its part, as JSON values


def embed_on_ray(
    model: str | Path,
    inputs: Sequence[Input],
    to: str | Path,
    *,
    address: str | None = None,
    device: str = "auto",
    bfloat16: bool = False,
    bom: bool = False,
    **options: Unpack[EmbedOptions],
) -> EmbedSummary:
    """Write the features of all faces to a folder of parts, one for each video, and return how many there are.

    `join_features` makes one table of them. The same call resumes with the parts that are not there.

    Args:
        model: see `open_reader`.
        inputs: photos, videos, folders of them, or addresses. Every machine must see paths under the same names.
        to: the folder, on this machine.
        address: of the Ray cluster; None finds one as `ray.init` does, or starts one on this machine.
        device: of the workers; "auto" takes the GPUs of the cluster if it has any.
        bfloat16: see `open_reader`.
        bom: see `embed_share`.
        options: see `EmbedOptions`; `workers` is the number of threads and of CPU cores of each worker, by default 1,
            or with GPUs an equal part of the cores; `progress` is called with (tasks done, tasks in all).
    Raises:
        OmoteError: If Ray is not installed, no worker starts, the folder holds parts of other inputs or options, or as
            `embed_share`. A task that fails is listed among the skipped files instead.
    """
    ray, to = _import_ray(), Path(to)
    threads, progress = options.pop("workers", None), options.pop("progress", None)
    task = EmbedTask(open_reader(model, device="cpu", bfloat16=bfloat16), inputs, **options)
    if not (groups := _group(task.sources)):
        raise OmoteError("none of the inputs is a photo or video that omote reads")
    shards = [Shard(number, len(groups)) for number in range(1, len(groups) + 1)]
    # N shards divide the inputs otherwise than N tasks do, so their parts must not be mixed
    request = task.share_request(shards[0], bom=bom) | {"on": "ray"}
    check_folder(to, request)
    with claimed(to / "_ray", "is embedding to this folder"):
        waiting = [place for place, shard in enumerate(shards) if not _is_done(to, shard, request)]
        # the longest first, so that the cluster does not wait for one video in the end
        waiting.sort(key=lambda place: sum(map(task.size, groups[place])), reverse=True)
        jobs = {place: (groups[place], shards[place], [] if place else task.skipped) for place in waiting}
        show = progress or (lambda done, total: None)
        show(len(shards) - len(jobs), len(shards))
        if jobs:
            options["axes"] = [task.axes] if task.axes else []  # with those that come with the model
            arguments = _WorkerArguments(_pack(model), device, bfloat16, options, request)
            with _cluster(ray, address), closing(_Pool(ray, arguments, threads).run(jobs)) as results:
                for done, (place, result) in enumerate(results, len(shards) - len(jobs) + 1):
                    if isinstance(result, str):
                        result = _list_failed(*jobs[place], result, bom=bom)
                    _write(to, shards[place], request, result)
                    show(done, len(shards))
    return add_summaries([EmbedSummary.restore(read_outcome(to, shard, request)) for shard in shards])


def _is_done(folder: Path, shard: Shard, request: dict[str, Any]) -> bool:
    """Return whether a part is there; one whose task failed has no table, and is removed, as it is tried again."""
    if not read_outcome(folder, shard, request):
        return False
    if (folder / f"{shard.name}.parquet").exists():
        return True
    for name in (record_name(shard), f"_{shard.name}.skipped.csv"):
        (folder / name).unlink(missing_ok=True)
    return False


def _write(folder: Path, shard: Shard, request: dict[str, Any], result: _Result) -> None:
    """Write the files of a part."""
    with claim_share(folder, shard, request, "embedding") as claim:
        stage = claim.parts.new_result()
        for name, content in result.files.items():
            (stage / name).write_bytes(content)
        claim.finish(result.outcome)


def _import_ray() -> Any:
    """Return the package ray, which is kept from reporting its use."""
    if find_spec("ray") is None:
        raise OmoteError(
            "Ray is not installed (pip install 'omote[ray]'); without it, --shard shares the work"
        )
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions of Ray have it
    return import_module("ray")


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to the cluster for the block, or start one; one that the caller has connected to stays."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False,
                 logging_level="ERROR")  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise OmoteError(
            f"there is no Ray cluster at {address or 'this machine'}: {explain(error)}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _group(sources: Sequence[Source]) -> list[list[Source]]:
    """Return the sources by tasks, in order: a video, or consecutive photos."""
    groups: list[list[Source]] = []
    for source in sources:
        is_photo = source.kind == "photo"
        if is_photo and groups and groups[-1][-1].kind == "photo" and len(groups[-1]) < PHOTOS_PER_JOB:
            groups[-1].append(source)
        else:
            groups.append([source])
    return groups


def _pack(model: str | Path) -> dict[str, bytes]:
    """Return the files of a model by name, without its axes."""
    if Path(model).suffix.lower() == ".onnx":
        return {Path(model).name: Path(model).read_bytes()}
    from omote.runs.hub import FILES, find_model
    from omote.runs.info import weights_file

    folder, names = find_model(model), {"run.json", weights_file(), *FILES} - {AXES_FILE}
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def _list_failed(
    sources: list[Source], shard: Shard, skipped: list[Skipped], reason: str, *, bom: bool
) -> _Result:
    """Return the part of a task that failed: a list of its files, and no table."""
    rows = [*skipped]
    rows += [Skipped(source=source.name, frame=None, reason=f"{FAILED}{reason}") for source in sources]
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"_{shard.name}.skipped.csv"
        write_skipped(file, rows, bom=bom)
        return _Result({file.name: file.read_bytes()}, summarise(rows, [])._asdict())


class _WorkerArguments(NamedTuple):
    """What every worker is started with."""

    model: dict[str, bytes]  # see `_pack`
    device: str
    bfloat16: bool
    options: EmbedOptions
    request: dict[str, Any]  # of the parts


class _Worker:
    """Computes parts, in a process of the cluster that holds the model."""

    def start(self, arguments: _WorkerArguments, threads: int) -> str:
        """Load the model, and return the version of omote and the name of the machine."""
        model, device, bfloat16, options, self.request = arguments
        self.options = EmbedOptions(**{**options, "workers": threads})
        with TemporaryDirectory(prefix="omote-") as folder:
            for name, content in model.items():
                (Path(folder) / name).write_bytes(content)
            only = Path(folder) / next(iter(model))
            self.reader = open_reader(
                only if only.suffix.lower() == ".onnx" else folder, device=device, bfloat16=bfloat16
            )
        return f"{version('omote')} on {gethostname()}"

    def embed(self, sources: list[Source], shard: Shard, skipped: list[Skipped]) -> _Result:
        """Return the part of some sources; `skipped` is what was left out before."""
        for source in sources:
            if source.picture is None and source.remote is None and not os.path.exists(source.name):
                raise OmoteError(
                    f"{source.name} is not there on {gethostname()}; give paths that all machines see, or addresses"
                )
        task = EmbedTask(self.reader, sources, **self.options)
        task.skipped = skipped
        with (
            TemporaryDirectory(prefix="omote-") as folder,
            claim_parts(Path(folder) / "part", self.request, "embedding") as parts,
        ):
            outcome = task.write_part(parts, shard)._asdict()
            files = {path.name: path.read_bytes() for path in parts.result.iterdir()}
        return _Result(files, outcome)


class _Pool:
    """The workers of a run, and which task each has."""

    def __init__(self, ray: Any, arguments: _WorkerArguments, threads: int | None) -> None:
        self.ray = ray
        total = ray.cluster_resources()
        num_cpus, num_gpus = int(total.get("CPU", 0)), int(total.get("GPU", 0))
        if num_gpus and arguments.device.partition(":")[0] in ("auto", "cuda"):
            threads, needs = threads or max(1, num_cpus // num_gpus), {"num_gpus": 1, "num_cpus": 1}
            self.most_workers = num_gpus
        else:
            threads = threads or 1
            needs, self.most_workers = {"num_cpus": threads}, max(1, num_cpus // threads)
        self.make_worker = ray.remote(**needs)(_Worker).remote
        self.arguments = (ray.put(arguments), threads)
        self.starting: dict[Any, Any] = {}  # promise that a worker has started -> the worker
        self.idle: list[Any] = []
        self.running: dict[Any, tuple[Any, int]] = {}  # promise of a result -> the worker, and the task
        self.num_broken = 0  # workers that died while they started, since one did start

    def run(self, jobs: Mapping[int, tuple[Any, ...]]) -> Generator[tuple[int, _Result | str], None, None]:
        """Yield the number of each task with its result, or with the reason why it failed; in any order."""
        waiting, tries = deque(jobs), Counter[int]()
        try:
            for _ in range(min(self.most_workers, len(jobs))):
                self._start()
            while waiting or self.running:
                while waiting and self.idle:
                    worker, number = self.idle.pop(), waiting.popleft()
                    self.running[worker.embed.remote(*jobs[number])] = worker, number
                promise = self._wait()
                if promise in self.starting:
                    self._greet(promise)
                    continue
                worker, number = self.running.pop(promise)
                result = self._take(promise, worker)
                tries[number] += isinstance(result, str)
                if isinstance(result, str) and tries[number] < MOST_TRIES:
                    waiting.append(number)
                else:
                    yield number, result
        finally:
            for worker in (*self.starting.values(), *self.idle, *(one for one, _ in self.running.values())):
                self.ray.kill(worker)

    def _start(self) -> None:
        worker = self.make_worker()
        self.starting[worker.start.remote(*self.arguments)] = worker

    def _wait(self) -> Any:
        """Return the promise that is fulfilled next."""
        patience = None if self.running else PATIENCE
        done, _ = self.ray.wait([*self.starting, *self.running], num_returns=1, timeout=patience)
        if not done:
            total = self.ray.cluster_resources()
            raise OmoteError(
                f"no worker has started within {PATIENCE / 60:.0f} minutes; the cluster has {total.get('CPU', 0):.0f} "
                f"CPU cores, and a worker needs {self.arguments[1]} of one machine (--workers)"
            )
        return done[0]

    def _greet(self, promise: Any) -> None:
        """Take a worker that has started; another is started in its place if it died."""
        worker = self.starting.pop(promise)
        try:
            found = self.ray.get(promise)
        except self.ray.exceptions.RayTaskError as error:
            raise OmoteError(f"a worker of the Ray cluster cannot start: {explain(error.cause)}") from None
        except self.ray.exceptions.RayError as error:
            self.num_broken += 1
            if self.num_broken > MOST_TRIES * self.most_workers:
                raise OmoteError(
                    f"the workers of the Ray cluster die when they start: {explain(error)}"
                ) from None
            self._start()
            return
        if found.partition(" ")[0] != version("omote"):
            raise OmoteError(
                f"omote {version('omote')} is here, and {found}; install the same on all machines"
            )
        self.num_broken = 0
        self.idle.append(worker)

    def _take(self, promise: Any, worker: Any) -> _Result | str:
        """Return the result of a task, or why there is none; another worker is started in place of one that died."""
        try:
            result: _Result = self.ray.get(promise)
        except self.ray.exceptions.RayTaskError as error:
            self.idle.append(worker)
            return explain(error.cause)
        except self.ray.exceptions.RayError as error:
            self.ray.kill(worker)
            self._start()
            return f"its worker died ({type(error).__name__})"
        self.idle.append(worker)
        return result
