"""A real Slurm cluster on this machine: each node has its own network, processes and hostname.

The controller and the nodes are in namespaces of their own, connected by a bridge. So nodes reach
each other by TCP only, and share nothing but the file system. A tmpfs that each node has for itself
stands for folders that are not shared. Everything ends with the namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.until import until

TOOLS = ("slurmctld", "slurmd", "munged", "srun", "sbatch", "ip", "unshare", "nsenter")
NODES = ("node1", "node2")
CGROUPS = Path("/sys/fs/cgroup")
KILL_WAIT = 30  # seconds; Slurm's default
SLURMD_TIMEOUT = 10  # seconds without an answer after which a node is given up

CONFIGURATION = """
ClusterName=test
SlurmctldHost=controller(10.77.0.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/cgroup
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=5,sched_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait={kill_wait}
SlurmdTimeout={slurmd_timeout}
ReturnToService=2
NodeName=node1 NodeAddr=10.77.0.1 CPUs=8 RealMemory=8000
NodeName=node2 NodeAddr=10.77.0.2 CPUs=8 RealMemory=8000
PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=2
"""

CGROUP_CONFIGURATION = f"""
CgroupPlugin=cgroup/v1
CgroupMountpoint={CGROUPS}
"""


def missing() -> str:
    """Why no cluster can run here; empty if one can."""
    if os.geteuid() != 0:
        return "a cluster can be started by root only"
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(absent)}"
    if not (CGROUPS / "freezer").is_dir():
        return "Slurm needs the freezer of cgroup v1 here"
    return ""


class Cluster:
    """Two nodes and a controller, from entering to leaving the context.

    Args:
        folder: Empty; for the configuration, state and logs of the daemons.

    Attributes:
        local: A folder that is another one on each node.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local = folder / "local"
        self._stack = ExitStack()
        self._machines: dict[str, int] = {}  # name → pid of its first process

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(_remove_cgroups)
            self._write_configuration()
            self._start_munge()
            network = "ip link set lo up; ip link add br0 type bridge; ip link set br0 up; "
            network += "ip addr add 10.77.0.254/24 dev br0; "
            self._start_machine("controller", network, "slurmctld -D")
            until(lambda: "UP" in self.attempt("ip", "-brief", "link", "show", "br0").stdout)
            for node in NODES:
                self.start_node(node)
            until(lambda: self.run("sinfo", "-h", "-o", "%T %D").strip() == "idle 2")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    def start_node(self, node: str) -> None:
        """Start the machine of a node."""
        network = "ip link set lo up; until ip link set eth0 up; do sleep 0.1; done; "
        network += f"ip addr add 10.77.0.{NODES.index(node) + 1}/24 dev eth0; "
        self._start_machine(node, network, "slurmd -D")
        peer = ("peer", "name", "eth0", "netns", str(self._machines[node]))
        self._outside("ip", "link", "add", node, "type", "veth", *peer)
        self._outside("ip", "link", "set", node, "master", "br0", "up")

    def kill_node(self, node: str) -> None:
        """End the machine of a node, as a power failure does."""
        os.kill(self._machines[node], signal.SIGKILL)

    def run(self, *command: str | Path, node: str = "controller") -> str:
        """What a command prints on a machine; its errors end the test."""
        return self.attempt(*command, node=node, check=True).stdout

    def attempt(
        self, *command: str | Path, node: str = "controller", check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine, whatever comes of it."""
        spaces = ["--net", "--mount", "--uts", "--pid"]
        inside = ["nsenter", *spaces, f"--target={self._machines[node]}", *command]
        return subprocess.run(
            inside, env=self._environment, capture_output=True, text=True, check=check
        )

    @property
    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        configuration = str(self.folder / "slurm.conf")
        return {
            **os.environ,
            "PATH": path,
            "SLURM_CONF": configuration,
            "TMPDIR": str(self.local),
        }

    def _write_configuration(self) -> None:
        for name in ("munge", "state", *NODES, "local"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        text = CONFIGURATION.format(
            folder=self.folder, kill_wait=KILL_WAIT, slurmd_timeout=SLURMD_TIMEOUT
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "cgroup.conf").write_text(CGROUP_CONFIGURATION)

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        names = ("socket", "pid-file", "seed-file", "log-file", "key-file")
        files = [f"--{name}={folder / name.removesuffix('-file')}" for name in names]
        for path in (folder, key):
            shutil.chown(path, "munge", "munge")
        process = subprocess.Popen(["runuser", "-u", "munge", "--", "munged", "-F", *files])
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        until((folder / "socket").exists)

    def _start_machine(self, name: str, network: str, daemon: str) -> None:
        own = f"hostname {name}; mount -t tmpfs none {self.local}; {network}"
        spaces = ("--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
        with (self.folder / f"{name}.out").open("w") as output:
            process = subprocess.Popen(
                # This shell is the first process of its namespace: it waits for orphans, too.
                ["unshare", *spaces, "bash", "-c", f"{own} {daemon} & wait"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        self._machines[name] = int(until(lambda: children.read_text().strip()))

    def _outside(self, *command: str) -> None:
        """Run a command in the controller's network, with the process numbers of this machine."""
        target = f"--target={self._machines['controller']}"
        subprocess.run(["nsenter", "--net", target, *command], check=True)


def _remove_cgroups() -> None:
    """Remove the groups that the daemons leave, once the processes in them have ended."""
    for node in NODES:
        group = CGROUPS / "freezer" / f"slurm_{node}"
        for path in sorted((group, *group.rglob("*/")), reverse=True):
            until(lambda path=path: not path.is_dir() or _is_removed(path), seconds=10)


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False
    return True
