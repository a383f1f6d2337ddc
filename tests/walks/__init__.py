"""Walks: changes, drifts, failovers and faults one after another on one cluster, compared with a fresh rollout.

`model` says which steps there are and which walk a seed is (pure); `world` takes a step on a sandbox; `walk` takes a
whole walk and judges it; `results` keeps what came of each.
"""
