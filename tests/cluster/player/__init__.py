"""Plays rendered Kubernetes manifests on one machine, with podman and nft.

Only what the manifests here use is known. Any other field is refused, so that nothing in them goes
untested unnoticed.
"""
