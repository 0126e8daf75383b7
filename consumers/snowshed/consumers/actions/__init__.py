"""Carries out prepared plans: what runbooks declare about incidents, each action once, with a record of every step."""

from snowshed.consumers.actions.executive import Executive
from snowshed.consumers.actions.runbook import Plan, Runbook
from snowshed.consumers.actions.settings import read_plan

__all__ = ["Executive", "Plan", "Runbook", "read_plan"]
