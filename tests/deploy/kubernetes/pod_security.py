"""The level "restricted" of the Pod Security Standards, for the fields of Kubernetes 1.37.

https://kubernetes.io/docs/concepts/security/pod-security-standards has the rules in this order.
"""

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SECCOMP_TYPES = {"RuntimeDefault", "Localhost"}


def violations(pod):
    """What in a pod's spec the level forbids; empty if it is allowed."""
    every = [
        *pod.get("containers", ()),
        *pod.get("initContainers", ()),
        *pod.get("ephemeralContainers", ()),
    ]
    return [*_of_pod(pod), *(fault for one in every for fault in _of_container(one, pod))]


def _of_pod(pod):
    context = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", ()):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    if not {one["name"] for one in context.get("sysctls", ())} <= SYSCTLS:
        yield "sysctls"
    yield from _of_any_context(context)


def _of_container(container, pod):
    own, of_pod = container.get("securityContext", {}), pod.get("securityContext", {})
    context = of_pod | own  # a container's fields take precedence
    name, capabilities = container["name"], own.get("capabilities", {})
    faults = {
        "privileged": own.get("privileged", False),
        "capabilities": capabilities.get("drop") != ["ALL"]
        or not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"},
        "hostPort": any(port.get("hostPort", 0) for port in container.get("ports", ())),
        "procMount": own.get("procMount", "Default") != "Default",
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation", True),
        "runAsNonRoot": not context.get("runAsNonRoot", False),
        "seccompProfile": context.get("seccompProfile", {}).get("type") not in SECCOMP_TYPES,
        "host of a probe or hook": any(_names_host(value) for value in container.values()),
    }
    yield from (f"{name}: {fault}" for fault, found in faults.items() if found)
    yield from (f"{name}: {fault}" for fault in _of_any_context(own))


def _of_any_context(context):
    if context.get("runAsUser") == 0:
        yield "runAsUser"
    options = context.get("seLinuxOptions", {})
    if options.get("type", "") not in SELINUX_TYPES or options.get("user") or options.get("role"):
        yield "seLinuxOptions"
    if context.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield "appArmorProfile"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in SECCOMP_TYPES:
        yield "seccompProfile"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"


def _names_host(value):
    """Whether a probe or a lifecycle hook asks another host than the pod."""
    if not isinstance(value, dict):
        return False
    actions = [value.get(key) for key in ("httpGet", "tcpSocket")]
    inner = [value.get(key) for key in ("postStart", "preStop")]
    return any(one.get("host") for one in actions if one) or any(map(_names_host, inner))
