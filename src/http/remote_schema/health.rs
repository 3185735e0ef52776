//! `platformHealth`

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};

use crate::app::{App, Check};

/// Whether the platform, or a part of it, works.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// It answers.
    Ok,
    /// It does not answer, or not in time.
    Unavailable,
}

impl From<bool> for HealthStatus {
    fn from(healthy: bool) -> Self {
        if healthy { Self::Ok } else { Self::Unavailable }
    }
}

/// The platform's health.
#[derive(SimpleObject, Debug)]
pub struct PlatformHealth {
    /// `OK` when every part answers.
    status: HealthStatus,
    /// The systems that requests need.
    parts: Vec<PlatformPart>,
}

/// One system that requests need.
#[derive(SimpleObject, Debug)]
pub struct PlatformPart {
    /// `database`, `cache` or `events`.
    name: &'static str,
    /// Whether it answers.
    status: HealthStatus,
    /// How long the answer took.
    milliseconds: u64,
}

impl From<Check> for PlatformPart {
    fn from(check: Check) -> Self {
        Self { name: check.name, status: check.healthy.into(), milliseconds: check.milliseconds }
    }
}

#[derive(Default)]
pub struct HealthQuery;

#[Object]
impl HealthQuery {
    /// Whether the platform works, and which part of it does not.
    async fn platform_health(&self, context: &Context<'_>) -> Result<PlatformHealth> {
        let checks = context.data::<Arc<App>>()?.readiness().await;
        Ok(PlatformHealth {
            status: checks.iter().all(|check| check.healthy).into(),
            parts: checks.into_iter().map(Into::into).collect(),
        })
    }
}
