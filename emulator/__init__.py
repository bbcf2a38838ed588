"""The embedded cloud: OpenNebula's XML-RPC API and OneGate, with VMs that run."""
