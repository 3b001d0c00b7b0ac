"""Plays rendered Kubernetes manifests on one machine: podman in place of kubelet, nft of the network.

Only what the manifests here use is known. Any other field is refused, so that nothing in them goes
untested unnoticed.
"""
