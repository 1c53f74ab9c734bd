//! Stages, plan, rollout, rollback, records.
